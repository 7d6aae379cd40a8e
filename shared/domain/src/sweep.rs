//! What the minute sweep does with a record: the decisions that take every machine to its end, whatever
//! died on the way. EC2's listing is made *before* the records are read, and is eventually consistent.

use jiff::{SignedDuration, Timestamp};

use crate::{
    failure::{Failure, FailureCode},
    ids::InstanceId,
    machine::{InstanceFacts, Machine, Missing},
    status::{Desired, InstanceState, Status},
};

/// How long an instance must have been missing before it counts as gone.
pub const GONE_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// In how many passes it must have been missed.
pub const GONE_PASSES: u32 = 2;
/// A record that changed more recently is left to whoever changed it.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);
/// Executions an attempt gets before it counts as failed.
pub const MAX_RUNS: u32 = 3;
/// How long starting an execution may keep failing before the machine counts as failed.
pub const START_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How the execution stands that should be working on a machine (Step Functions API, DescribeExecution).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// There is none of that name.
    NotFound,
    /// It runs.
    Running,
    /// It ended, in whatever way.
    Closed,
}

/// What to do about the execution of a machine that is being provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It is being worked on.
    Leave,
    /// Start an execution under the record's execution name.
    Start,
}

impl Machine {
    /// It should have an execution at work, and has been quiet long enough to ask whether it has.
    pub fn needs_execution(&self, now: Timestamp) -> bool {
        self.status.is_provisioning() && self.desired == Desired::Running && self.is_quiet(now)
    }

    /// Nobody changed it within the grace period.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        now.duration_since(self.updated_at) >= GRACE
    }

    /// Decides on a machine whose execution was looked up. A further execution gets another name, because
    /// Step Functions keeps the names of closed ones; it takes up where the record stands.
    pub fn resume(&mut self, execution: Execution, now: Timestamp) -> Resume {
        if !self.status.is_provisioning() || self.desired != Desired::Running {
            return Resume::Leave;
        }
        match execution {
            Execution::Running => Resume::Leave,
            Execution::NotFound => Resume::Start,
            Execution::Closed if self.run < MAX_RUNS => {
                self.run += 1;
                self.updated_at = now;
                Resume::Start
            }
            Execution::Closed => {
                let message = format!("{MAX_RUNS} executions ended without a result");
                self.fail(Failure::new(FailureCode::ExecutionLost, message), now);
                Resume::Leave
            }
        }
    }

    /// An execution could not be started: tolerated for a while, because a later pass tries again.
    pub fn start_failed(&mut self, reason: &str, now: Timestamp) {
        let since = *self.unstarted_since.get_or_insert(now);
        if now.duration_since(since) >= START_WITHIN {
            let message = format!("no execution could be started: {reason}");
            self.fail(Failure::new(FailureCode::ExecutionLost, message), now);
        }
    }

    /// An execution was started.
    pub fn start_succeeded(&mut self, now: Timestamp) {
        if self.unstarted_since.take().is_some() {
            self.updated_at = now;
        }
    }

    /// Compares the record with what EC2's listing showed of it, and answers which instances to terminate.
    pub fn reconcile(&mut self, seen: &[InstanceFacts], now: Timestamp) -> Vec<InstanceId> {
        if self.closed_at.is_some() {
            return Vec::new();
        }
        self.expire(now);
        if self.instance_id.is_none()
            && let Some(first) = seen.first()
        {
            self.launched(first.clone(), now);
        }
        if seen.is_empty() {
            self.missed(now);
            return Vec::new();
        }
        if self.missing.take().is_some() {
            self.updated_at = now;
        }
        if !self.status.is_provisioning()
            && seen
                .iter()
                .all(|facts| facts.state == InstanceState::Terminated)
        {
            self.gone(
                seen[0].state_reason.as_deref().unwrap_or("no reason given"),
                now,
            );
            return Vec::new();
        }
        seen.iter()
            .filter(|facts| {
                self.is_unwinding()
                    && !matches!(
                        facts.state,
                        InstanceState::ShuttingDown | InstanceState::Terminated
                    )
            })
            .map(|facts| facts.id.clone())
            .collect()
    }

    /// The listing did not show the instance. What is being provisioned is its execution's business.
    fn missed(&mut self, now: Timestamp) {
        if self.status.is_provisioning() && self.desired == Desired::Running {
            return;
        }
        let missing = self.missing.get_or_insert(Missing {
            since: now,
            passes: 0,
        });
        missing.passes = missing.passes.saturating_add(1);
        let Missing { since, passes } = *missing;
        self.updated_at = now;
        if passes >= GONE_PASSES && now.duration_since(since) >= GONE_AFTER {
            self.gone("EC2 no longer lists it", now);
        }
    }

    /// The instance is gone. That nobody asked for it is an error the owner should see.
    fn gone(&mut self, reason: &str, now: Timestamp) {
        if self.desired == Desired::Running && self.status == Status::Ready {
            let failure = Failure::new(
                FailureCode::InstanceGone,
                format!("the instance is gone: {reason}"),
            );
            self.error = Some(failure.in_phase(self.status));
        }
        self.close(now);
    }
}
