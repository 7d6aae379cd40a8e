//! Stopping and starting a machine, and the end EC2 announces for a spot instance.

use std::fmt;

use jiff::Timestamp;

use crate::{
    failure::{Failure, FailureCode},
    ids::InstanceId,
    machine::{Machine, SpotStatus},
    status::{Desired, Market, Source, Status},
};

/// What was asked for and does not fit where the machine is. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PowerRefusal {
    /// One-time spot instances cannot be stopped (EC2 user guide, "Stop a Spot Instance").
    #[error(
        "EC2 cannot stop a one-time spot instance. Delete the machine, or create it with market on-demand"
    )]
    Spot,
    /// A pool's machines are handed out running.
    #[error("a machine of the pool is not stopped; release it, and it is destroyed")]
    Pool,
    /// The machine is somewhere else.
    #[error(
        "the machine is {status}: only a machine that is {needed} can be {verb}. Read it again, and wait until it is"
    )]
    Status {
        /// Where it is.
        status: Status,
        /// Where it would have to be.
        needed: &'static str,
        /// What was asked for.
        verb: Verb,
    },
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// POST …/start.
    Start,
    /// POST …/stop.
    Stop,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "started",
            Self::Stop => "stopped",
        })
    }
}

impl Machine {
    /// The instance can be stopped: it came up, or failed after a start and was left running.
    fn is_stoppable(&self) -> bool {
        self.desired == Desired::Running
            && self.instance_id.is_some()
            && self.gone_at.is_none()
            && matches!(self.status, Status::Ready | Status::Failed)
    }

    /// Somebody wants it stopped. Asking again changes nothing.
    pub fn stop(&mut self, now: Timestamp) -> Result<(), PowerRefusal> {
        if matches!(self.status, Status::Stopping | Status::Stopped) {
            return Ok(());
        }
        if self.source == Source::Pool {
            return Err(PowerRefusal::Pool);
        }
        if !self.is_stoppable() {
            return Err(PowerRefusal::Status {
                status: self.status,
                needed: "ready",
                verb: Verb::Stop,
            });
        }
        if self.market() == Market::Spot {
            return Err(PowerRefusal::Spot);
        }
        self.desired = Desired::Stopped;
        self.enter(Status::Stopping, "asked to stop", now);
        Ok(())
    }

    /// EC2 refused to stop it for good: it is what it was.
    pub fn stop_refused(&mut self, failure: &Failure, now: Timestamp) {
        if self.status != Status::Stopping || self.desired != Desired::Stopped {
            return;
        }
        self.desired = Desired::Running;
        let detail = format!("not stopped: {}", failure.message);
        // A machine that failed before it was to be stopped still has that error.
        let before = if self.error.is_some() {
            Status::Failed
        } else {
            Status::Ready
        };
        self.enter(before, detail, now);
    }

    /// Somebody wants it running again. Asking again changes nothing.
    pub fn start(&mut self, now: Timestamp) -> Result<(), PowerRefusal> {
        let comes_up =
            self.status == Status::Ready || (self.status.is_provisioning() && self.cycle > 1);
        if comes_up && self.desired == Desired::Running {
            return Ok(());
        }
        if self.status != Status::Stopped || self.desired != Desired::Stopped {
            return Err(PowerRefusal::Status {
                status: self.status,
                needed: "stopped",
                verb: Verb::Start,
            });
        }
        self.bring_up("asked to start", now);
        Ok(())
    }

    /// A further cycle begins: another execution, and the staging script once more.
    pub(crate) fn bring_up(&mut self, detail: &str, now: Timestamp) {
        self.desired = Desired::Running;
        self.cycle = self.cycle.saturating_add(1);
        self.run = 1;
        self.unstarted_since = None;
        self.command_id = None;
        self.error = None;
        self.output = None;
        self.enter(Status::Starting, detail, now);
    }

    /// EC2 announced that it takes the spot instance back. What its user does in the two minutes left is not
    /// cut short; what nobody uses yet ends at once.
    pub fn interrupted(&mut self, now: Timestamp) {
        if self.pool.is_some() {
            self.interrupted_in_pool(now);
            return;
        }
        let is_up = self.status == Status::Ready || self.status.is_provisioning();
        if !is_up || self.desired != Desired::Running {
            return;
        }
        let failure = Failure::new(
            FailureCode::SpotInterrupted,
            "EC2 announced that it takes the spot instance back within two minutes",
        );
        self.error = Some(failure.in_phase(self.status));
        if self.status.is_provisioning() {
            self.desired = Desired::Terminated;
        }
        self.enter(Status::Interrupted, "EC2 takes the spot instance back", now);
    }

    /// EC2 was asked how the spot request stands; nothing seen changes nothing.
    pub fn spot_status_seen(&mut self, seen: Option<SpotStatus>) {
        if seen.is_some() && self.closed_at.is_none() {
            self.spot_status = seen;
        }
    }

    /// The instance to stop, if one is to be.
    pub fn to_stop(&self) -> Option<&InstanceId> {
        (self.status == Status::Stopping && self.desired == Desired::Stopped)
            .then_some(self.instance_id.as_ref())
            .flatten()
    }
}
