//! What the minute sweep does with a record: the decisions that take every machine to its end, whatever
//! died on the way. EC2's listing is made *before* the records are read, and is eventually consistent.

use jiff::{SignedDuration, Timestamp};

use crate::{
    aws_code,
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

/// How long before its end a machine's owner is told.
pub const ANNOUNCED_BEFORE: SignedDuration = SignedDuration::from_mins(10);

/// What an observation asks to be done at EC2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// Instances to terminate.
    pub terminate: Vec<InstanceId>,
    /// The instance to stop.
    pub stop: Option<InstanceId>,
    /// The security group of its own is to be deleted.
    pub delete_group: bool,
}

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

    /// Compares the record with what EC2's listing showed of it, and answers what is to be done. `seen` holds
    /// only instances that the record explains ([`Self::explains`]).
    pub fn reconcile(&mut self, seen: &[InstanceFacts], now: Timestamp) -> Orders {
        // The pool's are compared with what their group shows.
        if self.closed_at.is_some() || self.pool.is_some() {
            return Orders::default();
        }
        self.expire(now);
        self.announce_expiry(now);
        if self.gone_at.is_none() {
            if self.instance_id.is_none()
                && let Some(first) = seen.first()
            {
                self.launched(first.clone(), now);
            }
            match seen.first() {
                None => self.missed(now),
                Some(facts) => self.instance_seen(facts, now),
            }
        }
        self.orders(seen)
    }

    /// Takes in what EC2 says of the machine's instance, whoever asked: what the machine's own work
    /// did not bring about is brought into the record. What is being brought up is its execution's business.
    pub fn instance_seen(&mut self, facts: &InstanceFacts, now: Timestamp) {
        if self.closed_at.is_some() || self.gone_at.is_some() {
            return;
        }
        if self.missing.take().is_some() {
            self.updated_at = now;
        }
        if self.status.is_provisioning() && self.desired == Desired::Running {
            return;
        }
        if facts.state == InstanceState::Terminated {
            self.gone(facts, now);
            return;
        }
        self.facts_seen(facts, now);
        if self.pool.is_some() {
            return;
        }
        // A listing may be some seconds old: what contradicts a fresh change is looked at again.
        let is_settled = now.duration_since(self.phase_entered_at()) >= GRACE;
        match (self.status, facts.state) {
            (Status::Stopping, InstanceState::Stopped) if self.desired == Desired::Stopped => {
                self.enter(Status::Stopped, "EC2 reports it as stopped", now);
            }
            (Status::Ready | Status::Failed, InstanceState::Stopping | InstanceState::Stopped)
                if self.desired == Desired::Running && is_settled =>
            {
                self.desired = Desired::Stopped;
                self.enter(Status::Stopping, "stopped outside Haulout", now);
            }
            (Status::Stopped, InstanceState::Pending | InstanceState::Running)
                if self.desired == Desired::Stopped && is_settled =>
            {
                self.bring_up("started outside Haulout", now);
            }
            _ => {}
        }
    }

    /// Addresses change when an instance is started again. Whoever saw it before the record last changed is late:
    /// what the record says since is newer.
    pub(crate) fn facts_seen(&mut self, facts: &InstanceFacts, now: Timestamp) {
        if now < self.updated_at {
            return;
        }
        if self.instance_id.as_ref() == Some(&facts.id) && self.instance.as_ref() != Some(facts) {
            self.instance = Some(facts.clone());
            self.updated_at = now;
        }
    }

    /// What is to be done about the instances seen.
    pub fn orders(&self, seen: &[InstanceFacts]) -> Orders {
        if self.pool.is_some() {
            return Orders::default();
        }
        let mut orders = Orders {
            delete_group: self.has_group_left(),
            ..Orders::default()
        };
        for facts in seen {
            let is_up = matches!(facts.state, InstanceState::Pending | InstanceState::Running);
            let is_ending = matches!(
                facts.state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            );
            if self.is_unwinding() && !is_ending {
                orders.terminate.push(facts.id.clone());
            } else if is_up && self.to_stop() == Some(&facts.id) {
                orders.stop = Some(facts.id.clone());
            }
        }
        orders
    }

    /// The record knows why this instance exists: it is the machine's, or that of a launch whose answer is
    /// still out. Anything else with the machine's tag is a stray.
    pub fn explains(&self, instance: &InstanceId, attempt: Option<u32>) -> bool {
        match (&self.instance_id, self.closed_at) {
            (_, Some(_)) => false,
            (Some(known), None) => known == instance,
            (None, None) => attempt.is_none_or(|attempt| attempt == self.attempt),
        }
    }

    /// Its end is near, and nobody was told yet.
    fn announce_expiry(&mut self, now: Timestamp) {
        let is_near = self
            .expires_at
            .is_some_and(|end| end.duration_since(now) <= ANNOUNCED_BEFORE);
        if is_near && self.expiry_announced_at.is_none() {
            self.expiry_announced_at = Some(now);
            self.updated_at = now;
        }
    }

    /// The listing did not show the instance. What is being provisioned is its execution's business.
    fn missed(&mut self, now: Timestamp) {
        if self.status.is_provisioning() && self.desired == Desired::Running {
            return;
        }
        if self.is_missing_for_good(now) {
            if self.desired == Desired::Running && self.status == Status::Ready {
                self.note_loss(FailureCode::InstanceGone, "EC2 no longer lists it");
            }
            self.instance_gone(now);
        }
    }

    /// Counts one more pass that missed the instance; whether it now counts as gone.
    pub(crate) fn is_missing_for_good(&mut self, now: Timestamp) -> bool {
        let missing = self.missing.get_or_insert(Missing {
            since: now,
            passes: 0,
        });
        missing.passes = missing.passes.saturating_add(1);
        let Missing { since, passes } = *missing;
        self.updated_at = now;
        passes >= GONE_PASSES && now.duration_since(since) >= GONE_AFTER
    }

    /// The instance is terminated. That nobody asked for it is an error the owner should see.
    fn gone(&mut self, facts: &InstanceFacts, now: Timestamp) {
        if self.pool.is_some() {
            // Its record closes when its group does not list it any more.
            self.lost_in_pool("the instance is terminated", now);
            return;
        }
        if self.desired != Desired::Terminated
            && matches!(
                self.status,
                Status::Ready | Status::Stopping | Status::Stopped
            )
        {
            let reason = facts.state_reason.as_deref().unwrap_or("no reason given");
            let code = facts.state_reason_code.as_deref().unwrap_or_default();
            let code = match aws_code::end_of_instance(code) {
                FailureCode::SpotInterrupted => FailureCode::SpotInterrupted,
                _ => FailureCode::InstanceGone,
            };
            self.note_loss(code, reason);
        }
        self.instance_gone(now);
    }

    pub(crate) fn note_loss(&mut self, code: FailureCode, reason: &str) {
        let failure = Failure::new(code, format!("the instance is gone: {reason}"));
        self.error = Some(failure.in_phase(self.status));
    }
}
