//! What is due when in a test world.

use std::time::Duration;

use haulout_domain::ids::MachineId;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::random::Random;

/// From the start to the schedule's first run: somewhere between whole minutes.
const FIRST_SWEEP: SignedDuration = SignedDuration::from_secs(37);
/// From an execution's end to the delivery of its event.
const EVENT_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// From a change at EC2 to the delivery of its event.
const EC2_EVENT_DELAY: SignedDuration = SignedDuration::from_secs(2);
/// From a write to a table to the delivery of its stream's records.
const STREAM_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// The most records that the stream delivers at once.
const BATCH: usize = 100;
/// A batch that was not taken is delivered again after so long, and after twice as long the next time.
const STREAM_BACK_OFF: SignedDuration = SignedDuration::from_secs(2);
/// The longest such pause.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(1);
/// After so many failed deliveries, the stream does not count as being under way any more.
const HOPELESS: u32 = 6;

/// By how much an event of EC2's is late at most, where events go astray.
const LATEST: usize = 900;

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
    /// Somebody stops whichever machine was made first.
    StopFirst,
    /// Somebody starts whichever machine was made first.
    StartFirst,
    /// EC2 takes back the instance of whichever machine was made first.
    InterruptFirst,
    /// A request is sent.
    Request {
        /// Its method.
        method: Method,
        /// Its path.
        path: String,
        /// Its idempotency key.
        key: Option<String>,
        /// Its body.
        body: Option<Value>,
    },
    /// An event of EC2's or Auto Scaling's is delivered.
    Ec2Event(Value),
    /// Records of the projects table's stream are delivered.
    Projects(Vec<Value>),
    /// What waits in the machines table's stream is delivered.
    Stream,
    /// Records of the stream are delivered that were delivered before.
    StreamAgain(Vec<Value>),
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
    sweep_every: SignedDuration,
    events: bool,
    entries: Vec<(Timestamp, Job)>,
    during_stall: Option<Job>,
    stream: Stream,
    /// EC2's events go astray as this decides.
    astray: Option<Random>,
    /// All events of EC2's so far, delivered or not.
    ec2_events: Vec<Value>,
}

/// The stream of the machines table: in order, at least once.
#[derive(Debug, Default)]
struct Stream {
    /// All records so far.
    records: Vec<Value>,
    /// How many of them were taken.
    taken: usize,
    due: Option<Timestamp>,
    /// A batch is being delivered.
    is_out: bool,
    /// How often the next batch was not taken.
    failures: u32,
}

impl Agenda {
    pub(crate) fn new(now: Timestamp, sweep_every: Option<Duration>, events: bool) -> Self {
        let next_sweep = sweep_every.map(|_| later(now, FIRST_SWEEP));
        let sweep_every = sweep_every.unwrap_or_default().try_into();
        Self {
            next_sweep,
            sweep_every: sweep_every.unwrap_or(SignedDuration::MAX),
            events,
            entries: Vec::new(),
            during_stall: None,
            stream: Stream::default(),
            astray: None,
            ec2_events: Vec::new(),
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

    /// From now on, events of EC2's are lost, late, or come twice, as a seed decides; or no more.
    pub(crate) fn lead_astray(&mut self, seed: Option<u64>) {
        self.astray = seed.map(Random::new);
    }

    /// Something changed at EC2.
    pub(crate) fn ec2_changed(&mut self, event: Value, now: Timestamp) {
        self.ec2_events.push(event.clone());
        if !self.events {
            return;
        }
        let in_time = later(now, EC2_EVENT_DELAY);
        let Some(random) = &mut self.astray else {
            self.add(in_time, Job::Ec2Event(event));
            return;
        };
        let seconds = i64::try_from(random.below(LATEST)).unwrap_or(0);
        let late = later(in_time, SignedDuration::from_secs(seconds));
        match random.below(8) {
            0 => {}
            1 | 2 => self.add(late, Job::Ec2Event(event)),
            3 => {
                self.add(in_time, Job::Ec2Event(event.clone()));
                self.add(late, Job::Ec2Event(event));
            }
            _ => self.add(in_time, Job::Ec2Event(event)),
        }
    }

    /// All events of EC2's so far.
    pub(crate) fn ec2_events(&self) -> &[Value] {
        &self.ec2_events
    }

    /// Records were written.
    pub(crate) fn written(&mut self, records: Vec<Value>, now: Timestamp) {
        let stream = &mut self.stream;
        stream.records.extend(records);
        if stream.taken < stream.records.len() && stream.due.is_none() && !stream.is_out {
            stream.due = Some(later(now, STREAM_DELAY));
        }
    }

    /// Projects' rows were written.
    pub(crate) fn projects_written(&mut self, records: Vec<Value>, now: Timestamp) {
        if self.events && !records.is_empty() {
            self.add(later(now, STREAM_DELAY), Job::Projects(records));
        }
    }

    /// All writes of records so far, as the stream tells them.
    pub(crate) fn writes(&self) -> &[Value] {
        &self.stream.records
    }

    /// The batch that is to be delivered now.
    pub(crate) fn stream_batch(&self) -> Vec<Value> {
        let left = self.stream.records.iter().skip(self.stream.taken);
        left.take(BATCH).cloned().collect()
    }

    /// So many records of the batch were taken; the rest is delivered again.
    pub(crate) fn stream_taken(&mut self, count: usize, now: Timestamp) {
        let stream = &mut self.stream;
        stream.taken += count;
        stream.is_out = false;
        stream.failures = if count > 0 { 0 } else { stream.failures + 1 };
        let pause = STREAM_BACK_OFF.saturating_mul(1 << stream.failures.min(10));
        let left = stream.taken < stream.records.len();
        stream.due = left.then(|| later(now, pause.min(LONGEST_BACK_OFF)));
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries
            .iter()
            .map(|(at, _)| *at)
            .chain(self.next_sweep)
            .chain(self.stream.due)
            .min()
    }

    /// Nothing but the schedule is to come.
    pub(crate) fn is_idle(&self) -> bool {
        let stream = &self.stream;
        let streams = stream.taken < stream.records.len() && stream.failures < HOPELESS;
        self.entries.is_empty() && !streams
    }

    /// Takes what is due.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Job> {
        let (due, left) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.entries = left;
        let due: Vec<(Timestamp, Job)> = due;
        let mut jobs: Vec<Job> = due.into_iter().map(|(_, job)| job).collect();
        if self.stream.due.is_some_and(|at| at <= now) {
            self.stream.due = None;
            self.stream.is_out = true;
            jobs.push(Job::Stream);
        }
        if self.next_sweep.is_some_and(|at| at <= now) {
            // A schedule does not make up for runs it missed.
            self.next_sweep = Some(later(now, self.sweep_every));
            jobs.push(Job::Sweep);
        }
        jobs
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
