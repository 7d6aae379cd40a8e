//! The steps on the way up: launch, look, send, look.

use haulout_domain::{
    aws_code::Meaning,
    failure::{Failure, FailureCode},
    ids::InstanceId,
    machine::Machine,
    poll::{self, Awaiting},
    staging::{self, StagingRequest},
    transition::Next,
};

use crate::{Provision, StepError};

/// The next look is due at once. It also is the answer of a step that found nothing left to do: the check
/// behind it sees why, and only checks have a `Choice` after them.
const AT_ONCE: Next = Next::Done { wait_seconds: 0 };

/// How long the agent alone is asked for; later looks include the instance, which may have died meanwhile.
const AGENT_ALONE_SECONDS: u32 = 60;

impl Provision {
    pub(crate) async fn launch(&self, machine: &Machine, attempt: u32) -> Result<Next, StepError> {
        let now = self.clock.now();
        let requested = self
            .change(machine, attempt, |machine| {
                let goes_on = machine.moved_on(attempt).is_none() && machine.instance_id.is_none();
                if goes_on {
                    machine.launch_requested(now);
                }
                goes_on
            })
            .await?;
        let Some((machine, true)) = requested else {
            return Ok(AT_ONCE);
        };
        let facts = self.compute.launch(&machine).await?;
        tracing::info!(instance_id = %facts.id, "launched");
        let now = self.clock.now();
        self.change(&machine, attempt, |machine| {
            machine.launched(facts.clone(), now);
        })
        .await?;
        Ok(Next::Done {
            wait_seconds: machine.wait_for(Awaiting::Instance, now),
        })
    }

    pub(crate) async fn check_instance(
        &self,
        machine: &Machine,
        attempt: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(attempt) {
            return Ok(next);
        }
        let id = instance_id(machine)?;
        let seen = self.compute.describe(id).await?;
        let checks_passed =
            machine.staging.is_none() && self.compute.status_checks_passed(id).await?;
        let now = self.clock.now();
        self.observe(machine, attempt, |machine| {
            machine.instance_observed(seen.clone(), checks_passed, now)
        })
        .await
    }

    pub(crate) async fn check_agent(
        &self,
        machine: &Machine,
        attempt: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(attempt) {
            return Ok(next);
        }
        let id = instance_id(machine)?;
        let online = self.remote.is_online(id).await?;
        let now = self.clock.now();
        let waited = poll::is_over(machine.phase_entered_at(), AGENT_ALONE_SECONDS, now);
        let seen = if !online && waited {
            self.compute.describe(id).await?
        } else {
            None
        };
        self.observe(machine, attempt, |machine| {
            machine.agent_observed(online, seen.as_ref(), now)
        })
        .await
    }

    pub(crate) async fn send_command(
        &self,
        machine: &Machine,
        attempt: u32,
    ) -> Result<Next, StepError> {
        let Some(staging) = &machine.staging else {
            return Ok(AT_ONCE);
        };
        if machine.moved_on(attempt).is_some() || machine.command_id.is_some() {
            return Ok(AT_ONCE);
        }
        let id = instance_id(machine)?;
        let limit = machine.deadlines.command_seconds;
        let script = staging::script(&StagingRequest {
            machine_id: machine.id.clone(),
            attempt,
            aggregators: self.aggregators.clone(),
            blob: staging.blob.clone(),
            sha256: staging.sha256.clone(),
            size_bytes: staging.size_bytes,
            budget_seconds: u64::from(limit),
        });
        let comment = format!("Haulout stages {}", machine.id);
        let sent = self.remote.send(id, &script, limit, &comment).await;
        let command = sent.map_err(|mut error| {
            // Registered a moment ago, unknown now: SSM is not consistent with itself yet.
            if error.is("InvalidInstanceId") {
                error.meaning = Meaning::Unavailable;
            }
            error
        })?;
        let now = self.clock.now();
        self.change(machine, attempt, |machine| {
            machine.command_sent(command.clone(), now);
        })
        .await?;
        Ok(Next::Done {
            wait_seconds: poll::wait_seconds(Awaiting::Command, jiff::SignedDuration::ZERO),
        })
    }

    pub(crate) async fn check_command(
        &self,
        machine: &Machine,
        attempt: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(attempt) {
            return Ok(next);
        }
        let id = instance_id(machine)?;
        let command = machine.command_id.as_deref().ok_or_else(|| {
            Failure::new(
                FailureCode::StepFailed,
                "the record has no command to look for",
            )
        })?;
        let state = self.remote.command(id, command).await?;
        let now = self.clock.now();
        self.observe(machine, attempt, |machine| {
            machine.command_observed(state.clone(), now)
        })
        .await
    }

    /// Writes an observation into the record; what it means for a record that moved on meanwhile is read anew.
    async fn observe(
        &self,
        machine: &Machine,
        attempt: u32,
        mut observation: impl FnMut(&mut Machine) -> Result<Next, Failure>,
    ) -> Result<Next, StepError> {
        let observed = self
            .change(machine, attempt, |machine| {
                machine
                    .moved_on(attempt)
                    .map_or_else(|| observation(machine), Ok)
            })
            .await?;
        match observed {
            Some((_, next)) => Ok(next?),
            None => Ok(Next::Stopped),
        }
    }
}

/// The instance of a machine past its launch.
fn instance_id(machine: &Machine) -> Result<&InstanceId, StepError> {
    machine.instance_id.as_ref().ok_or_else(|| {
        Failure::new(
            FailureCode::StepFailed,
            "the record has no instance to look at",
        )
        .into()
    })
}
