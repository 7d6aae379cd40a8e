//! The steps on the way up after the launch: look, send, look.

use haulout_domain::{
    aws_code::Meaning,
    failure::{Failure, FailureCode},
    ids::InstanceId,
    machine::{InstanceFacts, Machine},
    poll::{self, Awaiting, DELIVERY_SECONDS},
    staging::{self, Archive, Grant, Source, StagingRequest, StagingSpec},
    status::InstanceState,
    transition::Next,
};

use jiff::SignedDuration;

use crate::{Provision, StepError};

/// The next look is due at once. It also is the answer of a step that found nothing left to do: the check
/// behind it sees why.
pub(crate) const AT_ONCE: Next = Next::Done { wait_seconds: 0 };

/// How long the agent alone is asked for; later looks include the instance, which may have died meanwhile.
const AGENT_ALONE_SECONDS: u32 = 60;

impl Provision {
    pub(crate) async fn check_instance(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(cycle) {
            return Ok(next);
        }
        let id = instance_id(machine)?;
        let seen = self.compute.describe(id).await?;
        let runs = seen
            .as_ref()
            .is_some_and(|facts| facts.state == InstanceState::Running);
        let checks_passed =
            runs && machine.needs_checks() && self.compute.status_checks_passed(id).await?;
        self.look_at_spot_request(machine, seen.as_ref()).await?;
        let now = self.clock.now();
        let observed = self
            .observe(machine, cycle, |machine| {
                machine.instance_observed(seen.clone(), checks_passed, now)
            })
            .await;
        match observed {
            Err(StepError::Failed(failure)) if machine.is_worth_another_launch(&failure.code) => {
                self.launch_elsewhere(machine, cycle, &failure).await
            }
            observed => observed,
        }
    }

    /// Keeps how the spot request stands, when the instance first runs and when it goes down.
    async fn look_at_spot_request(
        &self,
        machine: &Machine,
        seen: Option<&InstanceFacts>,
    ) -> Result<(), StepError> {
        let Some(facts) = seen.filter(|facts| facts.state != InstanceState::Pending) else {
            return Ok(());
        };
        let Some(request) = &facts.spot_request_id else {
            return Ok(());
        };
        let status = self.compute.spot_status(request).await?;
        self.change(machine, |machine| machine.spot_status_seen(status.clone()))
            .await?;
        Ok(())
    }

    pub(crate) async fn check_agent(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(cycle) {
            return Ok(next);
        }
        let id = instance_id(machine)?;
        let launched = machine
            .instance
            .as_ref()
            .and_then(|facts| facts.launch_time);
        let online = self.remote.is_online(id, launched).await?;
        let now = self.clock.now();
        let waited = poll::is_over(machine.phase_entered_at(), AGENT_ALONE_SECONDS, now);
        let seen = if !online && waited {
            self.compute.describe(id).await?
        } else {
            None
        };
        self.observe(machine, cycle, |machine| {
            machine.agent_observed(online, seen.as_ref(), now)
        })
        .await
    }

    pub(crate) async fn send_command(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        let Some(staging) = &machine.staging else {
            return Ok(AT_ONCE);
        };
        if machine.moved_on(cycle).is_some() || machine.command_id.is_some() {
            return Ok(AT_ONCE);
        }
        let id = instance_id(machine)?;
        let limit = machine.deadlines.command_seconds;
        let staging = self.settled(machine, staging).await?;
        let source = self.source(machine, cycle, &staging).await?;
        let script = staging::script(&StagingRequest {
            machine_id: machine.id.clone(),
            cycle,
            aggregators: self.aggregators.clone(),
            source,
            sha256: staging.sha256,
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
        self.change(machine, |machine| {
            machine.command_sent(command.clone(), now);
        })
        .await?;
        Ok(Next::Done {
            wait_seconds: poll::wait_seconds(Awaiting::Command, SignedDuration::ZERO),
        })
    }

    /// Where the machine gets the archive; for a package that takes a ticket, good for as long as the command may run.
    async fn source(
        &self,
        machine: &Machine,
        cycle: u32,
        staging: &StagingSpec,
    ) -> Result<Source, StepError> {
        let package = match &staging.archive {
            Archive::Blob(blob) => return Ok(Source::Blob(blob.clone())),
            Archive::Package(package) => package,
        };
        let seconds = machine
            .deadlines
            .command_seconds
            .saturating_add(DELIVERY_SECONDS);
        let grant = Grant {
            machine: machine.id.clone(),
            cycle,
            package: package.clone(),
            key: staging.package_key.clone(),
            expires_at: self.clock.now() + SignedDuration::from_secs(seconds.into()),
            redeemed_with: None,
        };
        Ok(Source::Package {
            package: package.clone(),
            registry: self.api_url.clone(),
            ticket: self.store.issue_ticket(&grant).await?,
        })
    }

    pub(crate) async fn check_command(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        if let Some(next) = machine.moved_on(cycle) {
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
        self.observe(machine, cycle, |machine| {
            machine.command_observed(state.clone(), now)
        })
        .await
    }

    /// Writes an observation into the record; what it means for a record that moved on meanwhile is read anew.
    async fn observe(
        &self,
        machine: &Machine,
        cycle: u32,
        mut observation: impl FnMut(&mut Machine) -> Result<Next, Failure>,
    ) -> Result<Next, StepError> {
        let observed = self
            .change(machine, |machine| {
                machine
                    .moved_on(cycle)
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
pub(crate) fn instance_id(machine: &Machine) -> Result<&InstanceId, StepError> {
    machine.instance_id.as_ref().ok_or_else(|| {
        Failure::new(
            FailureCode::StepFailed,
            "the record has no instance to look at",
        )
        .into()
    })
}
