//! How a record changes: every decision about a machine's life, from what was observed to what is next.
//! Each function may be repeated with the same observation and then changes nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    aws_code,
    failure::{Failure, FailureCode},
    machine::{InstanceFacts, Machine, TimelineEntry},
    poll::{self, Awaiting},
    staging,
    status::{Desired, InstanceState, OnFailure, Status},
};

/// The most entries a timeline keeps; a machine that is stopped and started often loses its oldest ones.
const MAX_TIMELINE: usize = 100;

/// What the state machine does after a step. Its `Choice` states read `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// Look again after a while.
    Again {
        /// How long, in seconds.
        wait_seconds: u32,
    },
    /// The phase is over; look at the next one after a while.
    Done {
        /// How long, in seconds.
        wait_seconds: u32,
    },
    /// Launch once more, elsewhere.
    Launch {
        /// In how many seconds.
        wait_seconds: u32,
    },
    /// The machine is ready.
    Ready,
    /// The machine is to end: unwind.
    Cleanup,
    /// The machine failed and there is nothing (more) to unwind.
    Failed,
    /// The machine ended as was asked, or is no longer this execution's business.
    Stopped,
}

/// How a staging command stands (SSM API, GetCommandInvocation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// Not (yet) known to SSM, waiting, or running.
    InProgress,
    /// It ended by itself.
    Ended {
        /// The script's exit status, when SSM tells one.
        response_code: Option<i32>,
        /// First 24,000 characters of its output.
        stdout: String,
        /// First 8,000 characters of its error output.
        stderr: String,
    },
    /// SSM ended it, or could not deliver it, for lack of time.
    TimedOut {
        /// What it had printed.
        stdout: String,
    },
    /// Somebody cancelled it.
    Cancelled,
}

impl Machine {
    /// What a step of `cycle` does instead of its work, when the record has moved on.
    pub fn moved_on(&self, cycle: u32) -> Option<Next> {
        if self.cycle != cycle {
            return Some(Next::Stopped);
        }
        if self.pool.is_some() && self.is_leaving_pool() {
            // Its group ends it.
            return Some(Next::Stopped);
        }
        if self.is_unwinding() {
            return Some(Next::Cleanup);
        }
        match self.status {
            Status::Ready | Status::Idle | Status::Claimed => Some(Next::Ready),
            Status::Failed => Some(Next::Failed),
            Status::Terminating
            | Status::Terminated
            | Status::Stopping
            | Status::Stopped
            | Status::Interrupted
            | Status::Warming
            | Status::Draining => Some(Next::Stopped),
            Status::WaitingForInstance
            | Status::WaitingForSsm
            | Status::FetchingBlob
            | Status::Starting => None,
        }
    }

    /// How long to wait before looking for `awaiting`.
    pub fn wait_for(&self, awaiting: Awaiting, now: Timestamp) -> u32 {
        poll::wait_seconds(awaiting, now.duration_since(self.awaiting_since()))
    }

    /// Since when the current phase has been waited for. An instance is not waited for before it is launched:
    /// the launch itself may have been held up, by throttling or an outage.
    fn awaiting_since(&self) -> Timestamp {
        let entered = self.phase_entered_at();
        match (self.status, self.launch_requested_at) {
            (Status::WaitingForInstance, Some(requested)) => requested.max(entered),
            _ => entered,
        }
    }

    /// EC2's status checks are part of coming up.
    pub fn needs_checks(&self) -> bool {
        self.staging.is_none() || self.wait_for_status_checks
    }

    /// DescribeInstances answered (`None`: it does not know the instance yet). `checks_passed` tells
    /// whether EC2's status checks passed, and is looked at only where they are waited for.
    pub fn instance_observed(
        &mut self,
        seen: Option<InstanceFacts>,
        checks_passed: bool,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        if !matches!(self.status, Status::WaitingForInstance | Status::Starting) {
            return Ok(Next::Done {
                wait_seconds: self.wait_for(Awaiting::Agent, now),
            });
        }
        if let Some(facts) = &seen {
            self.ensure_alive(facts)?;
        }
        let running = seen
            .as_ref()
            .is_some_and(|facts| facts.state == InstanceState::Running);
        if let Some(facts) = seen.filter(|_| running && (checks_passed || !self.needs_checks())) {
            self.instance = Some(facts);
            if self.staging.is_none() {
                self.enter(Status::Ready, "the status checks passed", now);
                return Ok(Next::Ready);
            }
            self.enter(Status::WaitingForSsm, "the instance is running", now);
            return Ok(Next::Done {
                wait_seconds: self.wait_for(Awaiting::Agent, now),
            });
        }
        let mut allowed = self.deadlines.running_seconds;
        if self.needs_checks() {
            allowed = allowed.saturating_add(self.deadlines.checks_seconds);
        }
        if poll::is_over(self.awaiting_since(), allowed, now) {
            let what = if running {
                "passed its status checks"
            } else {
                "running"
            };
            return Err(Failure::new(
                FailureCode::InstanceTimeout,
                format!("the instance was not {what} after {allowed} s"),
            ));
        }
        let awaited = if running {
            Awaiting::Checks
        } else {
            Awaiting::Instance
        };
        Ok(self.again(awaited, now))
    }

    /// SSM was asked whether the agent reports. `seen` is the instance, where it was looked at too.
    pub fn agent_observed(
        &mut self,
        online: bool,
        seen: Option<&InstanceFacts>,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        if online || self.status != Status::WaitingForSsm {
            return Ok(Next::Done { wait_seconds: 0 });
        }
        if let Some(facts) = seen {
            self.ensure_alive(facts)?;
        }
        let allowed = self.deadlines.agent_seconds;
        if poll::is_over(self.phase_entered_at(), allowed, now) {
            return Err(Failure::new(
                FailureCode::AgentTimeout,
                format!(
                    "the SSM agent had not reported {allowed} s after the instance was running"
                ),
            ));
        }
        Ok(self.again(Awaiting::Agent, now))
    }

    /// SendCommand answered. A repeated send keeps the first command: the script on the machine makes a
    /// second copy report what the first one does.
    pub fn command_sent(&mut self, command_id: String, now: Timestamp) {
        if self.command_id.is_none() {
            self.command_id = Some(command_id);
            self.updated_at = now;
        }
        if self.status == Status::WaitingForSsm && !self.is_unwinding() {
            self.enter(
                Status::FetchingBlob,
                "the staging command is on the machine",
                now,
            );
        }
    }

    /// SSM was asked how the staging command stands.
    pub fn command_observed(
        &mut self,
        state: CommandState,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        if self.status != Status::FetchingBlob {
            return Ok(self.moved_on(self.cycle).unwrap_or(Next::Cleanup));
        }
        let limit = self.deadlines.command_seconds;
        let late = || {
            Failure::new(
                FailureCode::CommandTimeout,
                format!("the staging command did not end within {limit} s"),
            )
        };
        match state {
            CommandState::InProgress => {
                let allowed = limit.saturating_add(poll::DELIVERY_SECONDS);
                if poll::is_over(self.phase_entered_at(), allowed, now) {
                    return Err(late());
                }
                Ok(self.again(Awaiting::Command, now))
            }
            CommandState::Ended {
                response_code,
                stdout,
                stderr,
            } => {
                self.output = Some(tail(&stdout));
                staging::outcome(response_code, &stdout, &stderr)?;
                let fit = if self.pool.is_some() {
                    Status::Idle
                } else {
                    Status::Ready
                };
                self.enter(fit, "the model's script was started", now);
                Ok(Next::Ready)
            }
            CommandState::TimedOut { stdout } => {
                self.output = Some(tail(&stdout));
                Err(late())
            }
            CommandState::Cancelled => Err(Failure::new(
                FailureCode::CommandCancelled,
                "the staging command was cancelled",
            )),
        }
    }

    /// Bringing the machine up ended without success. A machine that is ready, or ends anyway, stays what it
    /// is. One that was started again is never terminated for it: its volumes may hold somebody's work.
    pub fn fail(&mut self, failure: Failure, now: Timestamp) -> Next {
        if self.status.is_provisioning() && !self.is_unwinding() {
            if self.pool.is_some() {
                self.retire_failed(failure, now);
                return Next::Failed;
            }
            let detail = failure.message.clone();
            let phase = self.status;
            self.error = Some(failure.in_phase(phase));
            if phase == Status::Starting {
                self.desired = Desired::Stopped;
                self.enter(Status::Stopping, format!("not started: {detail}"), now);
                return Next::Failed;
            }
            self.enter(Status::Failed, &detail, now);
            if self.cycle > 1 {
                return Next::Failed;
            }
            if !self.may_have_instance() {
                self.desired = Desired::Terminated;
                self.instance_gone(now);
            } else if self.on_failure == OnFailure::Keep && self.instance_id.is_some() {
                let kept = SignedDuration::from_mins(i64::from(self.keep_failed_minutes));
                let until = now.checked_add(kept).ok();
                self.expires_at = self.expires_at.into_iter().chain(until).min();
            } else {
                self.desired = Desired::Terminated;
            }
        }
        self.moved_on(self.cycle).unwrap_or(Next::Failed)
    }

    /// Somebody wants the machine gone.
    pub fn terminate(&mut self, reason: &str, now: Timestamp) {
        if self.desired == Desired::Terminated || self.closed_at.is_some() {
            return;
        }
        if self.pool.is_some() {
            self.release(reason, now);
            return;
        }
        self.desired = Desired::Terminated;
        self.enter(Status::Terminating, reason, now);
        if !self.may_have_instance() {
            self.instance_gone(now);
        }
    }

    /// Its time is over. A failed machine stays `failed`; its instance ends.
    pub fn expire(&mut self, now: Timestamp) {
        if self.expires_at.is_none_or(|expires| expires > now) {
            return;
        }
        self.expires_at = None;
        self.updated_at = now;
        if self.status == Status::Failed {
            self.desired = Desired::Terminated;
        } else {
            self.terminate("its time is over", now);
        }
    }

    /// It is certain that no instance of this machine exists (any more).
    pub fn instance_gone(&mut self, now: Timestamp) {
        if self.gone_at.is_some() {
            return;
        }
        self.gone_at = Some(now);
        self.missing = None;
        self.expires_at = None;
        self.updated_at = now;
        if let Some(instance) = &mut self.instance {
            instance.state = InstanceState::Terminated;
        }
        self.close_if_clean(now);
    }

    /// EC2 said that the security group is gone, or never was.
    pub fn group_gone(&mut self, now: Timestamp) {
        if let Some(group) = &mut self.own_group
            && !group.deleted
        {
            group.deleted = true;
            self.updated_at = now;
        }
        self.close_if_clean(now);
    }

    /// Its instance is gone, and the security group it had is still to be deleted.
    pub fn has_group_left(&self) -> bool {
        self.gone_at.is_some() && self.own_group.as_ref().is_some_and(|group| !group.deleted)
    }

    fn close_if_clean(&mut self, now: Timestamp) {
        if self.closed_at.is_some() || self.gone_at.is_none() || self.has_group_left() {
            return;
        }
        self.desired = Desired::Terminated;
        self.closed_at = Some(now);
        if self.status != Status::Failed {
            self.enter(Status::Terminated, "no instance exists", now);
        }
    }

    pub(crate) fn enter(&mut self, status: Status, detail: impl fmt::Display, now: Timestamp) {
        // Whoever took the time may have been overtaken since: a timeline never goes back.
        let now = now.max(self.phase_entered_at());
        self.status = status;
        self.updated_at = now;
        self.timeline.push(TimelineEntry {
            phase: status,
            at: now,
            detail: detail.to_string(),
        });
        if self.timeline.len() > MAX_TIMELINE {
            // The first entry says when the machine was asked for.
            self.timeline.remove(1);
        }
    }

    /// A machine being brought up whose instance went down has failed. One that is being started may look
    /// stopped for a moment longer.
    fn ensure_alive(&self, facts: &InstanceFacts) -> Result<(), Failure> {
        let is_late = self.status == Status::Starting
            && matches!(
                facts.state,
                InstanceState::Stopping | InstanceState::Stopped
            );
        if !facts.state.is_down() || is_late {
            return Ok(());
        }
        let reason = facts.state_reason.as_deref().unwrap_or("no reason given");
        let code = facts
            .state_reason_code
            .as_deref()
            .map_or(FailureCode::InstanceEnded, aws_code::end_of_instance);
        Err(Failure::new(
            code,
            format!("EC2 reports the instance as {}: {reason}", facts.state),
        ))
    }

    fn again(&self, awaiting: Awaiting, now: Timestamp) -> Next {
        Next::Again {
            wait_seconds: self.wait_for(awaiting, now),
        }
    }
}

/// What of the command's output a record keeps: its last 4,000 characters.
fn tail(output: &str) -> String {
    const KEPT: usize = 4_000;
    let skipped = output.chars().count().saturating_sub(KEPT);
    output.chars().skip(skipped).collect()
}
