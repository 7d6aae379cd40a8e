//! What can go wrong at a point of a recording, kind by kind.

use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal},
    faults::{ALWAYS, CallFault, Death, Fate, InvocationFault, Trouble},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    cases::{Case, Interruption},
    recording::{CallPoint, InvocationPoint, Recording},
    scenario::Scenario,
    stage::start_execution,
};

/// What goes wrong with a call: how it reads, how often, and how.
const TROUBLES: [(&str, u32, Trouble); 6] = [
    // Longer than the SDK repeats it, shorter than the state machine does.
    (
        "throttled for a while",
        7,
        Trouble::Refused(Refusal::Throttled),
    ),
    (
        "throttled for good",
        ALWAYS,
        Trouble::Refused(Refusal::Throttled),
    ),
    (
        "5xx for good",
        ALWAYS,
        Trouble::Refused(Refusal::ServerError),
    ),
    ("answer lost once", 1, Trouble::Lost),
    ("answers lost for good", ALWAYS, Trouble::Lost),
    (
        "access denied for good",
        ALWAYS,
        Trouble::Refused(Refusal::AccessDenied),
    ),
];

/// How long an outage lasts that meets everybody.
const OUTAGE: SignedDuration = SignedDuration::from_mins(12);

/// How long a function stalls: less than it may take, and long enough for the sweep to pass by.
const STALL_SECONDS: u32 = 55;

/// How long the sweep meets what others meet for good: it is the last resort, nothing stands behind it.
const SWEEP_OUTAGE: SignedDuration = SignedDuration::from_mins(8);

pub(super) fn call_cases(scenario: Scenario, point: &CallPoint) -> impl Iterator<Item = Case> {
    let CallPoint {
        function,
        action,
        place,
        skip,
    } = point.clone();
    let hits_sweep = is_sweep(&function);
    // The sweep does the same for each record and status, and what hears events for each of them.
    let place = if function.starts_with("provision") || function.starts_with("instances") {
        place
    } else {
        0
    };
    TROUBLES.into_iter().map(move |(how, times, trouble)| {
        let name = format!("{action} number {skip} of {function} {how}");
        let mut case = Case::new(
            "call",
            scenario,
            &name,
            format!("{function} {place} {action}"),
            &action.to_string(),
            how,
        );
        let fault = CallFault {
            skip,
            times,
            until: until(&function),
            ..CallFault::new(&function, &action, trouble)
        };
        case.calls.push(fault);
        case.hits_sweep = hits_sweep;
        case.says = vec![
            action.name.clone(),
            "could not be recorded".into(),
            "ended without a result".into(),
        ];
        case
    })
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn invocation_cases(scenario: Scenario, point: &InvocationPoint) -> Vec<Case> {
    let mut cases = Vec::new();
    let InvocationPoint {
        function,
        skip,
        calls,
    } = point;
    let mut add = |kind, how: &str, fate, times: u32, says: &[&str]| {
        let after = match fate {
            Fate::Killed { after_calls, .. } | Fate::Stalled { after_calls, .. } => {
                format!(" after {after_calls} calls")
            }
            _ => String::new(),
        };
        let name = format!("{function} number {skip} {how}{after}");
        let point = format!("{function}{after}");
        let mut case = Case::new(kind, scenario, &name, point, function, how);
        let (function, until) = (function.clone(), until(function));
        case.hits_sweep = is_sweep(&function);
        case.invocations.push(InvocationFault {
            function,
            fate,
            skip: *skip,
            times,
            until,
        });
        case.says = says.iter().map(|word| (*word).to_owned()).collect();
        case.says.extend([
            "could not be recorded".to_owned(),
            "ended without a result".to_owned(),
        ]);
        cases.push(case);
    };
    for after_calls in 0..=*calls {
        // Each death is reported in another way; which one at which call makes no difference to the function.
        let (death, word) = match after_calls % 3 {
            0 => (Death::Exit, "Runtime.ExitError"),
            1 => (Death::TimedOut, "Sandbox.Timedout"),
            _ => (Death::Unknown, "Lambda.Unknown"),
        };
        let fate = Fate::Killed { after_calls, death };
        add("kill", "killed", fate, 1, &[word]);
        add("kill", "killed for good", fate, ALWAYS, &[word]);
    }
    for after_calls in 0..*calls {
        let fate = Fate::Stalled {
            after_calls,
            seconds: STALL_SECONDS,
        };
        add("stall", "stalled", fate, 1, &[]);
    }
    add("repeat", "repeated", Fate::Repeated, 1, &[]);
    add(
        "repeat",
        "and all later ones repeated",
        Fate::Repeated,
        ALWAYS,
        &[],
    );
    let throttled = "Lambda.TooManyRequestsException";
    add(
        "refuse",
        "not run once",
        Fate::Refused(throttled),
        1,
        &[throttled],
    );
    add(
        "refuse",
        "not run for good",
        Fate::Refused(throttled),
        ALWAYS,
        &[throttled],
    );
    cases
}

/// A step that only stalls is late, and that is all. So something happens meanwhile: its machine is deleted, or its
/// execution stopped and followed by another.
pub(super) fn add_meanwhile(cases: &mut Vec<Case>, scenario: Scenario) {
    let jobs = [
        ("deleted", Job::DeleteFirst),
        ("its execution stopped", Job::AbortAll),
    ];
    let is_step = |case: &Case| {
        let steps = case
            .invocations
            .iter()
            .any(|fault| fault.function.starts_with("provision"));
        case.scenario == scenario && case.kind == "stall" && steps
    };
    let (stalls, others): (Vec<_>, Vec<_>) = cases.drain(..).partition(is_step);
    *cases = others;
    for stall in stalls {
        for (what, job) in &jobs {
            let mut case = stall.clone();
            for text in [&mut case.name, &mut case.how] {
                text.push_str(", meanwhile ");
                text.push_str(what);
            }
            case.meanwhile = Some(job.clone());
            cases.push(case);
        }
    }
}

pub(super) fn interruption_cases(scenario: Scenario, recording: &Recording) -> Vec<Case> {
    let interruptions = [
        Interruption::Aborted,
        Interruption::AbortedUnseen,
        Interruption::Vanished,
        Interruption::Deleted,
    ];
    let points = recording.state_points();
    let each = points.into_iter().flat_map(|(state, entered)| {
        interruptions.into_iter().map(move |interruption| {
            let name = format!("{interruption:?} in {state} after {entered} transitions");
            let mut case = Case::new(
                "interrupt",
                scenario,
                &name,
                state.clone(),
                &state,
                &format!("{interruption:?}"),
            );
            case.interruption = Some((entered, interruption));
            case.says = vec!["ended without a result".into()];
            case
        })
    });
    each.collect()
}

/// A call that goes wrong for everybody, the sweep included, for a while.
pub(super) fn outage_cases(scenario: Scenario, recording: &Recording) -> Vec<Case> {
    let mut actions: Vec<Action> = recording
        .calls()
        .into_iter()
        .map(|point| point.action)
        .collect();
    actions.sort();
    actions.dedup();
    let troubles = [
        ("5xx", Trouble::Refused(Refusal::ServerError)),
        ("answers lost", Trouble::Lost),
    ];
    let each = actions.iter().flat_map(|action| {
        troubles.iter().map(move |(how, trouble)| {
            let name = format!("{action} {how} for everybody for a while");
            let what = action.to_string();
            let mut case = Case::new("outage", scenario, &name, what.clone(), &what, how);
            case.calls.push(CallFault {
                until: start().saturating_add(OUTAGE).unwrap(),
                ..CallFault::new("", action, *trouble)
            });
            case.says = vec![
                action.name.clone(),
                "could not be recorded".into(),
                "ended without a result".into(),
            ];
            case
        })
    });
    each.collect()
}

/// Executions that are not started: by the API, and then for a while by the sweep neither.
pub(super) fn unstarted_cases(scenario: Scenario) -> Vec<Case> {
    let denied = Trouble::Refused(Refusal::AccessDenied);
    let case = |who: &str, function: &str| {
        let name = format!("{who} can start executions");
        let mut case = Case::new("unstarted", scenario, &name, who.to_owned(), "", who);
        case.calls
            .push(CallFault::new(function, &start_execution(), denied));
        case.says = vec!["no execution could be started".into()];
        case
    };
    vec![case("only the sweep", "instances"), case("nobody", "")]
}

fn is_sweep(function: &str) -> bool {
    function.starts_with("refresh")
}

/// Until when a function meets what it meets for good.
fn until(function: &str) -> Timestamp {
    if is_sweep(function) {
        start().saturating_add(SWEEP_OUTAGE).unwrap()
    } else {
        Timestamp::MAX
    }
}

/// When a world's time begins.
fn start() -> Timestamp {
    haulout_local::sim::Clock::manual().now()
}
