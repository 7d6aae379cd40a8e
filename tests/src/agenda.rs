//! What is due when in a test world.

use haulout_domain::ids::MachineId;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Between two runs of the schedule.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// From the start to the schedule's first run: somewhere between whole minutes.
const FIRST_SWEEP: SignedDuration = SignedDuration::from_secs(37);
/// From an execution's end to the delivery of its event.
const EVENT_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// From the beginning of an invocation's stall to what happens meanwhile.
const INTO_STALL: SignedDuration = SignedDuration::from_secs(5);

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Job {
    /// An execution goes on.
    Execution(String),
    /// The schedule runs.
    Sweep,
    /// The event of an execution's bad end is delivered.
    Ended {
        /// The execution's name.
        execution: String,
        /// How it ended.
        status: &'static str,
    },
    /// Somebody asks for a machine.
    Create {
        /// The request's body.
        body: Value,
        /// Its idempotency key.
        key: Option<String>,
    },
    /// Somebody deletes a machine.
    Delete(MachineId),
    /// Somebody deletes whichever machine was made first.
    DeleteFirst,
    /// An execution is stopped where it is.
    Abort(String),
    /// All executions that run are stopped where they are.
    AbortAll,
    /// An execution is gone as if it had never been.
    Vanish(String),
}

/// What is due when, executions excepted: those know themselves.
#[derive(Debug)]
pub(crate) struct Agenda {
    next_sweep: Option<Timestamp>,
    events: bool,
    entries: Vec<(Timestamp, Job)>,
    during_stall: Option<Job>,
}

impl Agenda {
    pub(crate) fn new(now: Timestamp, sweeps: bool, events: bool) -> Self {
        let next_sweep = sweeps.then(|| later(now, FIRST_SWEEP));
        Self {
            next_sweep,
            events,
            entries: Vec::new(),
            during_stall: None,
        }
    }

    /// Something is to happen then.
    pub(crate) fn add(&mut self, at: Timestamp, job: Job) {
        self.entries.push((at, job));
    }

    /// Something is to happen when an invocation has stalled.
    pub(crate) fn set_during_stall(&mut self, job: Job) {
        self.during_stall = Some(job);
    }

    /// An invocation stalls.
    pub(crate) fn on_stall(&mut self, now: Timestamp) {
        if let Some(job) = self.during_stall.take() {
            self.add(later(now, INTO_STALL), job);
        }
    }

    /// An execution ended badly.
    pub(crate) fn ended(&mut self, execution: &str, status: &'static str, now: Timestamp) {
        if self.events {
            let job = Job::Ended {
                execution: execution.to_owned(),
                status,
            };
            self.add(later(now, EVENT_DELAY), job);
        }
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries
            .iter()
            .map(|(at, _)| *at)
            .chain(self.next_sweep)
            .min()
    }

    /// Nothing but the schedule is to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what is due.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Job> {
        let (due, left) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.entries = left;
        let due: Vec<(Timestamp, Job)> = due;
        let mut jobs: Vec<Job> = due.into_iter().map(|(_, job)| job).collect();
        if self.next_sweep.is_some_and(|at| at <= now) {
            // A schedule does not make up for runs it missed.
            self.next_sweep = Some(later(now, SWEEP_EVERY));
            jobs.push(Job::Sweep);
        }
        jobs
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
