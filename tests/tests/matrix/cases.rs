//! The cases: every point of the recordings with everything that can go wrong there.

use haulout_tests::{
    agenda::Job,
    faults::{CallFault, InvocationFault},
    random::Random,
};

use super::{
    kinds::{
        add_meanwhile, call_cases, interruption_cases, invocation_cases, outage_cases,
        unstarted_cases,
    },
    recording::Recording,
    run::with_each,
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

/// A scenario and what goes wrong in it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// A group of cases, for the count.
    pub(crate) kind: &'static str,
    /// What goes wrong, in words.
    pub(crate) name: String,
    /// Where in the code something goes wrong: the same in each scenario that passes there.
    pub(super) point: String,
    /// With what: an action, a function.
    pub(super) what: String,
    /// How.
    pub(super) how: String,
    pub(crate) scenario: Scenario,
    /// The sweep alone.
    pub(super) hits_sweep: bool,
    /// EC2 shows a new instance late.
    pub(crate) lag: bool,
    /// After the end, the sweep runs once more, and must find nothing to do.
    pub(crate) looks_again: bool,
    pub(crate) calls: Vec<CallFault>,
    pub(crate) invocations: Vec<InvocationFault>,
    /// After so many transitions.
    pub(crate) interruption: Option<(usize, Interruption)>,
    /// When an invocation has stalled.
    pub(crate) meanwhile: Option<Job>,
    /// A machine that fails for it says one of these.
    pub(crate) says: Vec<String>,
}

impl Case {
    pub(super) fn new(
        kind: &'static str,
        scenario: Scenario,
        name: &str,
        point: String,
        what: &str,
        how: &str,
    ) -> Self {
        Self {
            kind,
            name: format!("{scenario:?}: {name}"),
            point,
            what: what.to_owned(),
            how: how.to_owned(),
            scenario,
            hits_sweep: false,
            lag: false,
            looks_again: false,
            calls: Vec::new(),
            invocations: Vec::new(),
            interruption: None,
            meanwhile: None,
            says: Vec::new(),
        }
    }

    /// The machine is deleted in the course of it.
    pub(super) fn deletes(&self) -> bool {
        matches!(self.interruption, Some((_, Interruption::Deleted)))
            || matches!(self.meanwhile, Some(Job::DeleteFirst))
    }
}

/// All cases: every place in each scenario that passes there, for the first and for the last time.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let recordings = with_each(&Scenario::ALL, |scenario| Recording::of(*scenario));
    for (scenario, recording) in Scenario::ALL.into_iter().zip(recordings) {
        cases.extend(
            recording
                .calls()
                .iter()
                .flat_map(|point| call_cases(scenario, point)),
        );
        cases.extend(
            recording
                .invocations()
                .iter()
                .flat_map(|point| invocation_cases(scenario, point)),
        );
        add_meanwhile(&mut cases, scenario);
        cases.extend(interruption_cases(scenario, &recording));
        cases.extend(outage_cases(scenario, &recording));
        if !recording.states.is_empty() {
            cases.extend(unstarted_cases(scenario));
        }
    }
    let mut random = Random::new(0);
    for case in &mut cases {
        case.lag = random.percent(50);
        case.looks_again = random.percent(25);
    }
    cases
}
