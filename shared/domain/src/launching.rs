//! A launch, attempt by attempt: planned, asked for, answered, or refused and tried elsewhere.

use jiff::Timestamp;

use crate::{
    failure::FailureCode,
    launch::SecurityGroupId,
    machine::{InstanceFacts, Machine, OwnGroup},
    offer::{MAX_ATTEMPTS, Tried},
    plan::LaunchPlan,
    status::Status,
};

impl Machine {
    /// Freezes what the current attempt launches. The first plan counts.
    pub fn planned(&mut self, plan: LaunchPlan, now: Timestamp) {
        if self.plan.is_none() {
            self.plan = Some(plan);
            self.updated_at = now;
        }
    }

    /// Notes that a security group is about to be created: from now on one may exist.
    pub fn group_requested(&mut self, now: Timestamp) {
        if self.own_group.is_none() {
            self.own_group = Some(OwnGroup {
                id: None,
                deleted: false,
            });
            self.updated_at = now;
        }
    }

    /// The security group exists.
    pub fn group_made(&mut self, id: SecurityGroupId, now: Timestamp) {
        if let Some(group) = &mut self.own_group
            && group.id.is_none()
        {
            group.id = Some(id);
            self.updated_at = now;
        }
    }

    /// Notes that RunInstances is about to be called: from now on an instance may exist.
    pub fn launch_requested(&mut self, now: Timestamp) {
        if self.launch_requested_at.is_none() {
            self.launch_requested_at = Some(now);
            self.updated_at = now;
        }
    }

    /// RunInstances answered. Kept whatever has become of the record meanwhile: an instance must be findable.
    pub fn launched(&mut self, facts: InstanceFacts, now: Timestamp) {
        if self.instance_id.is_none() {
            self.instance_id = Some(facts.id.clone());
            self.instance = Some(facts);
            self.updated_at = now;
        }
    }

    /// EC2 refused the current attempt, and launched nothing for it or ended that again: there is another one,
    /// with another plan. False when there have been too many.
    pub fn refused(&mut self, tried: Tried, now: Timestamp) -> bool {
        if self.status != Status::WaitingForInstance || self.attempt >= MAX_ATTEMPTS {
            return false;
        }
        let detail = format!("EC2 refused {}: {}", tried.offer, tried.code);
        self.tried.push(tried);
        self.attempt = self.attempt.saturating_add(1);
        self.plan = None;
        self.launch_requested_at = None;
        self.instance_id = None;
        self.instance = None;
        self.enter(Status::WaitingForInstance, detail, now);
        true
    }

    /// EC2 may have an instance of this machine: of this attempt, or of one that was launched and refused afterwards.
    pub fn may_have_instance(&self) -> bool {
        self.launch_requested_at.is_some() || self.tried.iter().any(|tried| tried.launched)
    }

    /// The instance was launched and ended at once because EC2 had no capacity after all: as if refused.
    pub fn is_worth_another_launch(&self, code: &str) -> bool {
        self.status == Status::WaitingForInstance
            && self.plan.is_some()
            && code == FailureCode::InsufficientCapacity.as_str()
    }
}
