//! What a command's status is: a pure function of the record, the machine's timeline and the clock.

use std::time::Duration;

use jiff::Timestamp;

use super::command::{Command, End, How, Invocation};
use crate::sim::clock::after;
use crate::sim::instance::{Instance, Ping};

/// What the agent reports for a command it killed: 128 and SIGKILL.
const KILLED: i32 = 137;
/// What is reported before there is anything to report.
const NOT_RUN: i32 = -1;

/// The status of one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Status {
    /// Systems Manager's status.
    pub(in crate::sim) name: &'static str,
    /// Its finer word for it.
    pub(in crate::sim) details: &'static str,
    pub(in crate::sim) response_code: i32,
    /// As callers are told.
    pub(super) started: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    /// There is output to show.
    pub(super) has_output: bool,
}

impl Status {
    fn new(name: &'static str, details: &'static str, response_code: i32) -> Self {
        Self {
            name,
            details,
            response_code,
            started: None,
            ended: None,
            has_output: false,
        }
    }

    fn began(self, at: Timestamp) -> Self {
        Self {
            started: Some(at),
            ..self
        }
    }

    fn ended(self, at: Timestamp) -> Self {
        Self {
            ended: Some(at),
            ..self
        }
    }
}

/// The status of `invocation` at `now`. `cancel_delay` is how long a planned one takes to be cancelled.
pub(in crate::sim) fn status(
    command: &Command,
    invocation: &Invocation,
    instance: Option<&Instance>,
    now: Timestamp,
    cancel_delay: Duration,
) -> Status {
    let begins = if invocation.real {
        invocation.started
    } else {
        planned_start(command, invocation, instance)
    };
    let begins = begins.filter(|(at, _)| *at <= now);
    let expires = command.expires();
    match (begins, invocation.cancelled_at) {
        (None, Some(at)) => Status::new("Cancelled", "Cancelled", NOT_RUN).ended(at),
        (Some((start, _)), Some(at)) if at <= start && !invocation.real => {
            Status::new("Cancelled", "Cancelled", NOT_RUN).ended(at)
        }
        (None, None) if expires <= now => {
            Status::new("TimedOut", "DeliveryTimedOut", NOT_RUN).ended(expires)
        }
        (None, None) => Status::new("Pending", "Pending", NOT_RUN),
        (Some((start, told)), _) => {
            let end = if invocation.real {
                invocation
                    .end
                    .as_ref()
                    .map(|end| (end.at, end.how, end.wall))
            } else {
                planned_end(command, invocation, instance, start, cancel_delay)
            };
            running_or_ended(end.filter(|(at, ..)| *at <= now), invocation, expires, now)
                .began(told)
        }
    }
}

fn running_or_ended(
    end: Option<(Timestamp, How, Timestamp)>,
    invocation: &Invocation,
    expires: Timestamp,
    now: Timestamp,
) -> Status {
    let Some((_, how, told)) = end else {
        return match invocation.cancelled_at {
            Some(_) => Status::new("Cancelling", "Cancelling", NOT_RUN),
            None => Status::new("InProgress", "InProgress", NOT_RUN),
        };
    };
    let done = |status: Status| Status {
        has_output: true,
        ..status.ended(told)
    };
    match how {
        How::Exited(0) => done(Status::new("Success", "Success", 0)),
        How::Exited(code) => done(Status::new("Failed", "Failed", code)),
        How::TimedOut => done(Status::new("TimedOut", "ExecutionTimedOut", KILLED)),
        How::Cancelled => done(Status::new("Cancelled", "Cancelled", KILLED)),
        // Nobody is left to report anything: Systems Manager waits until the command expires.
        How::Lost if expires <= now => {
            Status::new("TimedOut", "DeliveryTimedOut", NOT_RUN).ended(expires)
        }
        How::Lost => Status::new("InProgress", "InProgress", NOT_RUN),
    }
}

/// When a planned invocation begins, if the agent is there at that instant and it is not too late.
fn planned_start(
    command: &Command,
    invocation: &Invocation,
    instance: Option<&Instance>,
) -> Option<(Timestamp, Timestamp)> {
    let at = invocation.pickup_at?;
    let in_time = at <= command.delivery_deadline();
    let there = instance.is_some_and(|i| i.ping(at) == Some(Ping::Online));
    (in_time && there).then_some((at, at))
}

/// Whatever comes first: the planned end, the timeout, the cancellation, the loss of the machine.
fn planned_end(
    command: &Command,
    invocation: &Invocation,
    instance: Option<&Instance>,
    start: Timestamp,
    cancel_delay: Duration,
) -> Option<(Timestamp, How, Timestamp)> {
    let exits = invocation
        .end
        .as_ref()
        .map(|End { at, how, .. }| (*at, *how));
    let times_out = Some((after(start, command.execution_timeout), How::TimedOut));
    let cancelled = invocation
        .cancelled_at
        .map(|at| (after(at, cancel_delay), How::Cancelled));
    let lost = instance
        .and_then(|i| i.leaves_running_after(start))
        .map(|at| (at, How::Lost));
    let ends = [exits, times_out, cancelled, lost];
    ends.into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .map(|(at, how)| (at, how, at))
}
