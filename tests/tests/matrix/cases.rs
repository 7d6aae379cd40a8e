//! The cases: every point of the recordings with everything that can go wrong there.

use haulout_tests::{
    call::{Action, Refusal, Service},
    faults::{ALWAYS, CallFault, Death, Fate, InvocationFault, Trouble},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    recording::{CallPoint, InvocationPoint, Recording},
    scenario::Scenario,
};

/// What becomes of an execution under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// Somebody stops it, and the event of that arrives.
    Aborted,
    /// Somebody stops it, and the event is lost.
    AbortedUnseen,
    /// It is gone as if it had never been.
    Vanished,
    /// The machine is deleted.
    Deleted,
}

/// A launch and what goes wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// A group of cases, for the count.
    pub(crate) kind: &'static str,
    /// What goes wrong, in words.
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
    /// EC2 shows a new instance late.
    pub(crate) lag: bool,
    pub(crate) calls: Vec<CallFault>,
    pub(crate) invocations: Vec<InvocationFault>,
    /// After so many transitions.
    pub(crate) interruption: Option<(usize, Interruption)>,
    /// A machine that fails for it says one of these.
    pub(crate) says: Vec<String>,
}

impl Case {
    fn new(kind: &'static str, scenario: Scenario, name: String) -> Self {
        Self {
            kind,
            name: format!("{scenario:?}: {name}"),
            scenario,
            lag: false,
            calls: Vec::new(),
            invocations: Vec::new(),
            interruption: None,
            says: Vec::new(),
        }
    }
}

/// What goes wrong with a call: how it reads, how often, and how.
const TROUBLES: [(&str, u32, Trouble); 6] = [
    // Longer than the SDK repeats it, shorter than the state machine does.
    ("throttled for a while", 7, Trouble::Refused(Refusal::Throttled)),
    ("throttled for good", ALWAYS, Trouble::Refused(Refusal::Throttled)),
    ("5xx for good", ALWAYS, Trouble::Refused(Refusal::ServerError)),
    ("answer lost once", 1, Trouble::Lost),
    ("answers lost for good", ALWAYS, Trouble::Lost),
    ("access denied for good", ALWAYS, Trouble::Refused(Refusal::AccessDenied)),
];

/// How long an outage lasts that meets everybody.
const OUTAGE: SignedDuration = SignedDuration::from_mins(30);

/// All cases. Half of them with EC2 showing new instances late.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for scenario in Scenario::ALL {
        let recording = Recording::of(scenario);
        cases.extend(recording.calls().iter().flat_map(|point| call_cases(scenario, point)));
        cases.extend(recording.invocations().iter().flat_map(|point| invocation_cases(scenario, point)));
        cases.extend(interruption_cases(scenario, &recording));
        cases.extend(outage_cases(scenario, &recording));
        cases.extend(unstarted_cases(scenario));
    }
    for (number, case) in cases.iter_mut().enumerate() {
        case.lag = number % 2 == 1;
    }
    cases
}

fn call_cases(scenario: Scenario, point: &CallPoint) -> impl Iterator<Item = Case> {
    let CallPoint { function, action, skip } = point.clone();
    TROUBLES.into_iter().map(move |(how, times, trouble)| {
        let name = format!("{action} number {skip} of {function} {how}");
        let mut case = Case::new("call", scenario, name);
        let fault = CallFault { skip, times, ..CallFault::new(&function, &action, trouble) };
        case.calls.push(fault);
        case.says = vec![action.name.clone(), "could not be recorded".into(), "ended without a result".into()];
        case
    })
}

fn invocation_cases(scenario: Scenario, point: &InvocationPoint) -> Vec<Case> {
    let mut cases = Vec::new();
    let InvocationPoint { function, skip, calls } = point;
    let mut add = |kind, how: String, fate, times: u32, says: &[&str]| {
        let mut case = Case::new(kind, scenario, format!("{function} number {skip} {how}"));
        case.invocations.push(InvocationFault { function: function.clone(), fate, skip: *skip, times });
        case.says = says.iter().map(|word| (*word).to_owned()).collect();
        case.says.extend(["could not be recorded".to_owned(), "ended without a result".to_owned()]);
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
        add("kill", format!("killed after {after_calls} calls"), fate, 1, &[word]);
        add("kill", format!("killed after {after_calls} calls for good"), fate, ALWAYS, &[word]);
    }
    add("repeat", "repeated".to_owned(), Fate::Repeated, 1, &[]);
    add("repeat", "and all later ones repeated".to_owned(), Fate::Repeated, ALWAYS, &[]);
    let throttled = "Lambda.TooManyRequestsException";
    add("refuse", "not run once".to_owned(), Fate::Refused(throttled), 1, &[throttled]);
    add("refuse", "not run for good".to_owned(), Fate::Refused(throttled), ALWAYS, &[throttled]);
    cases
}

fn interruption_cases(scenario: Scenario, recording: &Recording) -> Vec<Case> {
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
            let mut case = Case::new("interrupt", scenario, name);
            case.interruption = Some((entered, interruption));
            case.says = vec!["ended without a result".into()];
            case
        })
    });
    each.collect()
}

/// A call that goes wrong for everybody, the sweep included, for half an hour.
fn outage_cases(scenario: Scenario, recording: &Recording) -> Vec<Case> {
    let mut actions: Vec<Action> = recording.calls().into_iter().map(|point| point.action).collect();
    actions.sort();
    actions.dedup();
    let troubles = [
        ("5xx", Trouble::Refused(Refusal::ServerError)),
        ("answers lost", Trouble::Lost),
    ];
    let each = actions.iter().flat_map(|action| {
        troubles.iter().map(move |(how, trouble)| {
            let mut case = Case::new("outage", scenario, format!("{action} {how} for everybody for half an hour"));
            let until = start().saturating_add(OUTAGE).unwrap();
            case.calls.push(CallFault { until, ..CallFault::new("", action, *trouble) });
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
fn unstarted_cases(scenario: Scenario) -> Vec<Case> {
    let start_execution = Action { service: Service::StepFunctions, name: "StartExecution".to_owned() };
    let mut by_api = Case::new("unstarted", scenario, "the API cannot start executions".to_owned());
    let denied = Trouble::Refused(Refusal::AccessDenied);
    by_api.calls.push(CallFault::new("instances", &start_execution, denied));
    let mut by_nobody = Case::new("unstarted", scenario, "nobody can start executions".to_owned());
    by_nobody.calls.push(CallFault::new("", &start_execution, denied));
    by_nobody.says = vec!["no execution could be started".into()];
    vec![by_api, by_nobody]
}

/// When a world's time begins.
fn start() -> Timestamp {
    haulout_local::sim::Clock::manual().now()
}
