//! A machine's life in the pool: discovered in its group, warming, idle, claimed, draining, gone. The group launches
//! and ends the instances; what is here decides on what is seen of them.

use jiff::{SignedDuration, Timestamp};

use super::{Lifecycle, Member, Membership};
use crate::{
    failure::{Failure, FailureCode},
    ids::MachineId,
    launch::MachineName,
    machine::{InstanceFacts, LaunchSpec, Machine, MachineRequest},
    poll::Deadlines,
    staging::StagingSpec,
    status::{Desired, InstanceState, OnFailure, Source, Status},
};

/// Whom machines of the pool belong to until they are claimed.
pub const POOL_OWNER: &str = "pool";

/// What a refresh saw of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// What the group shows; nothing when it does not list the instance.
    pub member: Option<&'a Member>,
    /// What EC2 shows; nothing when it does not list the instance.
    pub facts: Option<&'a InstanceFacts>,
    /// Whether its agent reports to Systems Manager, where that was asked.
    pub agent_online: Option<bool>,
}

/// What a machine of the pool needs done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolOrder {
    /// Nothing.
    Nothing,
    /// Ask Systems Manager whether its agent reports, and look again.
    AskAgent,
    /// Start the execution that stages its model.
    Stage,
    /// End it in its group.
    End {
        /// The group is to launch no other one in its place.
        lowers_desired: bool,
    },
}

impl Machine {
    /// The record of an instance found in the group. It has the same id whenever the instance is found.
    pub fn discovered(
        group: &str,
        facts: InstanceFacts,
        staging: Option<StagingSpec>,
        deadlines: Deadlines,
        now: Timestamp,
    ) -> Self {
        let id = MachineId::of_instance(
            &facts.id,
            facts.launch_time.unwrap_or(Timestamp::UNIX_EPOCH),
        );
        let request = MachineRequest {
            owner: POOL_OWNER.to_owned(),
            name: None::<MachineName>,
            launch: LaunchSpec::default(),
            staging,
            on_failure: OnFailure::Terminate,
            keep_failed_minutes: 0,
            deadlines,
            wait_for_status_checks: false,
            ttl_minutes: None,
        };
        let mut machine = Self::new(id, request, now);
        machine.counted = false;
        machine.name = format!("{group}-{}", facts.id);
        machine.source = Source::Pool;
        machine.pool = Some(Membership {
            group: group.to_owned(),
            claim: None,
            last_owner: None,
            lowers_desired: false,
        });
        machine.launch_requested_at = Some(now);
        machine.instance_id = Some(facts.id.clone());
        machine.instance = Some(facts);
        machine.timeline.clear();
        machine.enter(Status::Warming, format!("found in group {group}"), now);
        machine
    }

    /// Compares a machine of the pool with what was seen of it, and answers what is to be done.
    pub fn observe_in_pool(&mut self, sight: &Sight<'_>, now: Timestamp) -> PoolOrder {
        if self.closed_at.is_some() || self.pool.is_none() {
            return PoolOrder::Nothing;
        }
        if self.is_over(sight, now) {
            return PoolOrder::Nothing;
        }
        if let Some(facts) = sight.facts {
            self.facts_seen(facts, now);
        }
        match self.status {
            Status::Warming => return self.warm(sight, now),
            Status::Idle | Status::WaitingForSsm | Status::FetchingBlob => {
                self.leave_if_unfit(sight, now);
            }
            Status::Claimed => self.release_if_expired(now),
            _ => {}
        }
        self.pool_order(sight.member)
    }

    /// The instance is gone, or has been missing for so long that it counts as gone.
    fn is_over(&mut self, sight: &Sight<'_>, now: Timestamp) -> bool {
        let is_terminated = |facts: &InstanceFacts| facts.state == InstanceState::Terminated;
        let is_listed = match (sight.member, sight.facts) {
            // With ReplaceUnhealthy suspended, a group lists and counts it until it is told to end it.
            (Some(member), Some(facts))
                if is_terminated(facts) && member.lifecycle != Lifecycle::Leaving =>
            {
                self.lost_in_pool("the instance is terminated", now);
                return false;
            }
            (_, Some(facts)) if is_terminated(facts) => {
                self.end_in_pool("the instance is terminated", now);
                return true;
            }
            (None, None) => false,
            // Taken out of the group: it is no longer the pool's to give, and not the pool's to end.
            (None, Some(_)) => self.claim().is_some(),
            (Some(_), _) => true,
        };
        if is_listed {
            if self.missing.take().is_some() {
                self.updated_at = now;
            }
            return false;
        }
        if self.is_missing_for_good(now) {
            self.end_in_pool("the group no longer lists the instance", now);
            return true;
        }
        false
    }

    fn end_in_pool(&mut self, detail: &str, now: Timestamp) {
        self.lost_in_pool(detail, now);
        self.instance_gone(now);
    }

    /// The instance ended without anybody having asked for it here. Its project has no machine any more; the group is
    /// to launch another one.
    pub(crate) fn lost_in_pool(&mut self, detail: &str, now: Timestamp) {
        if self.closed_at.is_some() || self.is_leaving_pool() {
            return;
        }
        if self.status == Status::Claimed {
            self.note_loss(FailureCode::InstanceGone, detail);
        }
        if let Some(membership) = &mut self.pool {
            membership.let_go();
        }
        self.retire(detail, false, now);
    }

    /// Warming becomes idle when the group, EC2 and Systems Manager all say that it is there.
    fn warm(&mut self, sight: &Sight<'_>, now: Timestamp) -> PoolOrder {
        if self.leave_if_unfit(sight, now) {
            return self.pool_order(sight.member);
        }
        let is_in_service = sight
            .member
            .is_some_and(|it| it.lifecycle == Lifecycle::InService && it.healthy);
        let is_up = sight.facts.is_some_and(|facts| {
            let has_address = facts.public_ip.is_some() || facts.private_ip.is_some();
            facts.state == InstanceState::Running && has_address
        });
        match sight.agent_online {
            None if is_in_service && is_up => return PoolOrder::AskAgent,
            Some(true) if is_in_service && is_up => {
                if self.staging.is_some() {
                    self.enter(Status::WaitingForSsm, "the agent reports", now);
                    return PoolOrder::Stage;
                }
                self.enter(Status::Idle, "the agent reports", now);
                return PoolOrder::Nothing;
            }
            _ => {}
        }
        let Deadlines {
            running_seconds,
            agent_seconds,
            ..
        } = self.deadlines;
        let allowed = running_seconds.saturating_add(agent_seconds);
        // Set aside by somebody, it is theirs to bring back.
        let is_aside = sight
            .member
            .is_some_and(|it| it.lifecycle == Lifecycle::Aside);
        let since = self.phase_entered_at();
        if !is_aside && now.duration_since(since) >= SignedDuration::from_secs(i64::from(allowed)) {
            let code = if is_up {
                FailureCode::AgentTimeout
            } else {
                FailureCode::InstanceTimeout
            };
            let message = format!("it was not fit for use after {allowed} s");
            self.retire_failed(Failure::new(code, message), now);
        }
        self.pool_order(sight.member)
    }

    /// A machine that nobody has and that is not fit to be handed out leaves; the group launches another one.
    fn leave_if_unfit(&mut self, sight: &Sight<'_>, now: Timestamp) -> bool {
        let is_down = sight.facts.is_some_and(|facts| facts.state.is_down());
        let reason = match sight.member {
            None => "it is not in the group any more",
            Some(it) if it.lifecycle == Lifecycle::Leaving => "the group ends it",
            Some(it) if it.lifecycle == Lifecycle::Aside => {
                if self.status == Status::Idle {
                    self.enter(Status::Warming, "it was set aside in the group", now);
                }
                return false;
            }
            Some(it) if !it.healthy => "the group holds it for unhealthy",
            Some(_) if is_down => "it does not run",
            Some(_) => return false,
        };
        self.retire(reason, false, now);
        true
    }

    fn release_if_expired(&mut self, now: Timestamp) {
        let expires_at = self.claim().and_then(|claim| claim.expires_at);
        if expires_at.is_some_and(|at| at <= now) {
            self.release("the claim expired", now);
        }
    }

    fn pool_order(&self, member: Option<&Member>) -> PoolOrder {
        let is_held = member.is_some_and(|it| it.lifecycle != Lifecycle::Leaving);
        match &self.pool {
            Some(membership) if is_held && self.is_leaving_pool() => PoolOrder::End {
                lowers_desired: membership.lowers_desired,
            },
            _ => PoolOrder::Nothing,
        }
    }

    /// It is to be ended in its group.
    pub fn is_leaving_pool(&self) -> bool {
        self.pool.is_some()
            && self.closed_at.is_none()
            && matches!(
                self.status,
                Status::Draining | Status::Failed | Status::Terminating | Status::Interrupted
            )
    }

    /// Takes a machine that nobody has out of use.
    fn retire(&mut self, reason: &str, lowers_desired: bool, now: Timestamp) {
        if let Some(membership) = &mut self.pool {
            membership.lowers_desired = lowers_desired;
        }
        self.desired = Desired::Terminated;
        self.enter(Status::Draining, reason, now);
    }

    /// It did not come up: the group launches another one in its place.
    pub(crate) fn retire_failed(&mut self, failure: Failure, now: Timestamp) {
        let detail = failure.message.clone();
        self.error = Some(failure.in_phase(self.status));
        self.retire(&detail, false, now);
    }

    /// Gives the machine up, whoever has it: it is ended, and the group launches no other one in its place. Repeated,
    /// it changes nothing. False when the machine was on its way out already.
    pub fn release(&mut self, reason: &str, now: Timestamp) -> bool {
        let is_held = self.closed_at.is_none()
            && matches!(
                self.status,
                Status::Warming
                    | Status::Idle
                    | Status::Claimed
                    | Status::WaitingForSsm
                    | Status::FetchingBlob
            );
        let Some(membership) = self.pool.as_mut().filter(|_| is_held) else {
            return false;
        };
        membership.let_go();
        self.retire(reason, true, now);
        true
    }

    /// Gives an idle machine up because there are too many; false when it is not idle any more.
    pub fn give_up(&mut self, now: Timestamp) -> bool {
        self.status == Status::Idle
            && self.release("more machines are idle than the buffer holds", now)
    }

    /// Its project goes to another machine: it is on its way out, and nobody's. False when it is not claimed.
    pub fn moved_away(&mut self, to: &MachineId, now: Timestamp) -> bool {
        let Some(membership) = self.pool.as_mut().filter(|it| it.claim.is_some()) else {
            return false;
        };
        membership.let_go();
        self.retire(&format!("its project was moved to {to}"), false, now);
        true
    }

    /// EC2 takes the spot instance back. One that nobody has is replaced at once; one in use stays its project's as long
    /// as it lasts.
    pub fn interrupted_in_pool(&mut self, now: Timestamp) {
        const REASON: &str = "EC2 takes the spot instance back in two minutes";
        let is_known = self
            .timeline
            .last()
            .is_some_and(|entry| entry.detail == REASON);
        match self.status {
            Status::Claimed if !is_known => self.enter(Status::Claimed, REASON, now),
            Status::Warming | Status::Idle | Status::WaitingForSsm | Status::FetchingBlob => {
                self.retire(REASON, false, now);
            }
            _ => {}
        }
    }
}
