//! What goes wrong, where and how often: AWS calls that are refused or whose answers are lost, and Lambda invocations
//! that are killed, refused or repeated. It keeps a log of both.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::call::{Action, Refusal};

/// For good.
pub const ALWAYS: u32 = u32::MAX;

/// What goes wrong with an AWS call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// AWS answers with an error and does nothing.
    Refused(Refusal),
    /// AWS does it, and the connection breaks before the answer.
    Lost,
}

/// AWS calls that go wrong.
#[derive(Debug, Clone)]
pub struct CallFault {
    /// Of the functions whose names begin like this; of all when empty.
    pub function: String,
    /// Which calls; of all actions if nothing.
    pub action: Option<Action>,
    /// How.
    pub trouble: Trouble,
    /// Not the first ones.
    pub skip: u32,
    /// How many.
    pub times: u32,
    /// Only until then.
    pub until: Timestamp,
}

impl CallFault {
    /// All calls of an action by a function, for good.
    pub fn new(function: &str, action: &Action, trouble: Trouble) -> Self {
        Self {
            function: function.to_owned(),
            action: Some(action.clone()),
            trouble,
            skip: 0,
            times: ALWAYS,
            until: Timestamp::MAX,
        }
    }
}

/// What happens to an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Its process ends after so many AWS calls took effect.
    Killed {
        /// So many.
        after_calls: u32,
        /// How the Lambda service reports it.
        death: Death,
    },
    /// It stops for a while after so many AWS calls took effect, and the world goes on meanwhile.
    Stalled {
        /// So many.
        after_calls: u32,
        /// For so long; less than the function may take.
        seconds: u32,
    },
    /// The Lambda service does not run it, with this error.
    Refused(&'static str),
    /// It runs twice, and only the second answer is seen.
    Repeated,
}

/// How an invocation's end without an answer is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Death {
    /// The process ended.
    Exit,
    /// The Lambda service cannot tell.
    Unknown,
    /// The function's time was over.
    TimedOut,
}

/// Invocations to which something happens.
#[derive(Debug, Clone)]
pub struct InvocationFault {
    /// Of the functions whose names begin like this.
    pub function: String,
    /// What.
    pub fate: Fate,
    /// Not to the first ones.
    pub skip: u32,
    /// To how many.
    pub times: u32,
    /// Only until then.
    pub until: Timestamp,
}

/// An AWS call as it happened. A call that the SDK repeats is logged as often.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Whose.
    pub function: String,
    /// Of which invocation.
    pub invocation: u64,
    /// What.
    pub action: Action,
    /// What went wrong.
    pub trouble: Option<Trouble>,
}

/// An answer of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Method and path.
    pub request: String,
    /// The answer's status.
    pub status: u16,
    /// Something went wrong on purpose while it was made.
    pub is_troubled: bool,
    /// The function's role lacked a permission: the deployment is wrong.
    pub is_denied: bool,
}

/// The faults of a world. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: Vec<CallFault>,
    invocations: Vec<InvocationFault>,
    log: Vec<Logged>,
    /// Names of all invocations so far, in order.
    invoked: Vec<String>,
    /// The numbers of invocations that something happened to.
    troubled: BTreeSet<u64>,
    /// Of those, the ones whose role lacked a permission.
    denied: BTreeSet<u64>,
    answers: Vec<Answered>,
    struck: u32,
}

impl Faults {
    /// From now on, these calls go wrong.
    pub fn arm(&self, fault: CallFault) {
        self.lock().calls.push(fault);
    }

    /// From now on, this happens to invocations.
    pub fn doom(&self, fault: InvocationFault) {
        self.lock().invocations.push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.invocations.clear();
    }

    /// All calls so far.
    pub fn log(&self) -> Vec<Logged> {
        self.lock().log.clone()
    }

    /// The functions invoked so far, in order.
    pub fn invoked(&self) -> Vec<String> {
        self.lock().invoked.clone()
    }

    /// The API's answers since this was asked last.
    pub fn take_answers(&self) -> Vec<Answered> {
        std::mem::take(&mut self.lock().answers)
    }

    /// How often something went wrong on purpose.
    pub fn struck(&self) -> u32 {
        self.lock().struck
    }

    /// Decides on an AWS call, and logs it.
    pub(crate) fn on_call(
        &self,
        function: &str,
        invocation: u64,
        action: &Action,
        now: Timestamp,
    ) -> Option<Trouble> {
        let mut state = self.lock();
        let mut trouble = None;
        for fault in &mut state.calls {
            let matches = function.starts_with(&fault.function)
                && fault.action.as_ref().is_none_or(|wanted| wanted == action)
                && now < fault.until;
            if matches && falls(&mut fault.skip, &mut fault.times) {
                trouble = trouble.or(Some(fault.trouble));
            }
        }
        if trouble.is_some() {
            state.struck += 1;
            state.troubled.insert(invocation);
        }
        if trouble == Some(Trouble::Refused(Refusal::AccessDenied)) {
            state.denied.insert(invocation);
        }
        state.log.push(Logged {
            function: function.to_owned(),
            invocation,
            action: action.clone(),
            trouble,
        });
        trouble
    }

    /// Decides on an invocation, and numbers it.
    pub(crate) fn on_invocation(&self, function: &str, now: Timestamp) -> (u64, Option<Fate>) {
        let mut state = self.lock();
        let mut fate = None;
        for fault in &mut state.invocations {
            let matches = function.starts_with(&fault.function) && now < fault.until;
            if matches && falls(&mut fault.skip, &mut fault.times) {
                fate = fate.or(Some(fault.fate));
            }
        }
        state.struck += u32::from(fate.is_some());
        state.invoked.push(function.to_owned());
        let number = u64::try_from(state.invoked.len()).unwrap_or(u64::MAX);
        if fate.is_some() {
            state.troubled.insert(number);
        }
        (number, fate)
    }

    /// Notes an answer of the API.
    pub(crate) fn on_answer(&self, invocation: u64, method: &str, path: &str, status: u16) {
        let mut state = self.lock();
        let is_troubled = state.troubled.contains(&invocation);
        let is_denied = state.denied.contains(&invocation);
        state.answers.push(Answered {
            request: format!("{method} {path}"),
            status,
            is_troubled,
            is_denied,
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts down first `skip`, then `times`.
fn falls(skip: &mut u32, times: &mut u32) -> bool {
    if *skip > 0 {
        *skip -= 1;
        return false;
    }
    if *times == 0 {
        return false;
    }
    if *times != ALWAYS {
        *times -= 1;
    }
    true
}
