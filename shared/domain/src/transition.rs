//! How a record changes: every decision about a machine's life, from what was observed to what is next.
//! Each function may be repeated with the same observation and then changes nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, FailureCode},
    machine::{InstanceFacts, Machine, TimelineEntry},
    poll::{self, Awaiting},
    staging,
    status::{Desired, InstanceState, OnFailure, Status},
};

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
    /// What a step of `attempt` does instead of its work, when the record has moved on.
    pub fn moved_on(&self, attempt: u32) -> Option<Next> {
        if self.attempt != attempt {
            return Some(Next::Stopped);
        }
        if self.is_unwinding() {
            return Some(Next::Cleanup);
        }
        match self.status {
            Status::Ready => Some(Next::Ready),
            Status::Failed => Some(Next::Failed),
            Status::Terminating | Status::Terminated => Some(Next::Stopped),
            Status::WaitingForInstance | Status::WaitingForSsm | Status::FetchingBlob => None,
        }
    }

    /// How long to wait before looking for `awaiting`.
    pub fn wait_for(&self, awaiting: Awaiting, now: Timestamp) -> u32 {
        poll::wait_seconds(awaiting, now.duration_since(self.awaiting_since()))
    }

    /// Since when the current phase has been waited for. An instance is not waited for before it is launched:
    /// the launch itself may have been held up, by throttling or an outage.
    fn awaiting_since(&self) -> Timestamp {
        match (self.status, self.launch_requested_at) {
            (Status::WaitingForInstance, Some(requested)) => requested,
            _ => self.phase_entered_at(),
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

    /// DescribeInstances answered (`None`: it does not know the instance yet). `checks_passed` tells
    /// whether EC2's status checks passed, and is looked at only for a machine with nothing to stage.
    pub fn instance_observed(
        &mut self,
        seen: Option<InstanceFacts>,
        checks_passed: bool,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        if self.status != Status::WaitingForInstance {
            return Ok(Next::Done {
                wait_seconds: self.wait_for(Awaiting::Agent, now),
            });
        }
        if let Some(facts) = &seen {
            ensure_alive(facts)?;
        }
        let running = seen
            .as_ref()
            .is_some_and(|facts| facts.state == InstanceState::Running);
        if let Some(facts) = seen.filter(|_| running) {
            if self.staging.is_some() {
                self.instance = Some(facts);
                self.enter(Status::WaitingForSsm, "the instance is running", now);
                return Ok(Next::Done {
                    wait_seconds: self.wait_for(Awaiting::Agent, now),
                });
            }
            if checks_passed {
                self.instance = Some(facts);
                self.enter(Status::Ready, "the status checks passed", now);
                return Ok(Next::Ready);
            }
        }
        let allowed = if self.staging.is_some() {
            self.deadlines.running_seconds
        } else {
            self.deadlines
                .running_seconds
                .saturating_add(poll::STATUS_CHECK_SECONDS)
        };
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
        Ok(self.again(Awaiting::Instance, now))
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
            ensure_alive(facts)?;
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
            return Ok(self.moved_on(self.attempt).unwrap_or(Next::Cleanup));
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
                self.enter(Status::Ready, "the model's script was started", now);
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

    /// Provisioning ended without success. A machine that is ready, or ends anyway, stays what it is.
    pub fn fail(&mut self, failure: Failure, now: Timestamp) -> Next {
        if self.status.is_provisioning() && !self.is_unwinding() {
            let detail = failure.message.clone();
            self.error = Some(failure.in_phase(self.status));
            self.enter(Status::Failed, &detail, now);
            if self.launch_requested_at.is_none() {
                self.desired = Desired::Terminated;
                self.close(now);
            } else if self.on_failure == OnFailure::Keep && self.instance_id.is_some() {
                let kept = SignedDuration::from_mins(i64::from(self.keep_failed_minutes));
                self.expires_at = now.checked_add(kept).ok();
            } else {
                self.desired = Desired::Terminated;
            }
        }
        self.moved_on(self.attempt).unwrap_or(Next::Failed)
    }

    /// Somebody wants the machine gone.
    pub fn terminate(&mut self, reason: &str, now: Timestamp) {
        if self.desired == Desired::Terminated || self.closed_at.is_some() {
            return;
        }
        self.desired = Desired::Terminated;
        self.enter(Status::Terminating, reason, now);
        if self.launch_requested_at.is_none() {
            self.close(now);
        }
    }

    /// The time a failed machine was kept for is over: it stays `failed`, its instance ends.
    pub fn expire(&mut self, now: Timestamp) {
        if self.expires_at.is_some_and(|expires| expires <= now) {
            self.desired = Desired::Terminated;
            self.expires_at = None;
            self.updated_at = now;
        }
    }

    /// It is certain that no instance of this machine exists (any more).
    pub fn close(&mut self, now: Timestamp) {
        if self.closed_at.is_some() {
            return;
        }
        self.closed_at = Some(now);
        self.missing = None;
        self.expires_at = None;
        self.updated_at = now;
        if let Some(instance) = &mut self.instance {
            instance.state = InstanceState::Terminated;
        }
        if self.status != Status::Failed {
            self.enter(Status::Terminated, "no instance exists", now);
        }
    }

    fn enter(&mut self, status: Status, detail: impl fmt::Display, now: Timestamp) {
        // Whoever took the time may have been overtaken since: a timeline never goes back.
        let now = now.max(self.phase_entered_at());
        self.status = status;
        self.updated_at = now;
        self.timeline.push(TimelineEntry {
            phase: status,
            at: now,
            detail: detail.to_string(),
        });
    }

    fn again(&self, awaiting: Awaiting, now: Timestamp) -> Next {
        Next::Again {
            wait_seconds: self.wait_for(awaiting, now),
        }
    }
}

/// A machine being provisioned whose instance went down has failed.
fn ensure_alive(facts: &InstanceFacts) -> Result<(), Failure> {
    if !facts.state.is_down() {
        return Ok(());
    }
    let reason = facts.state_reason.as_deref().unwrap_or("no reason given");
    Err(Failure::new(
        FailureCode::InstanceEnded,
        format!("EC2 reports the instance as {}: {reason}", facts.state),
    ))
}

/// What of the command's output a record keeps: its last 4,000 characters.
fn tail(output: &str) -> String {
    const KEPT: usize = 4_000;
    let skipped = output.chars().count().saturating_sub(KEPT);
    output.chars().skip(skipped).collect()
}
