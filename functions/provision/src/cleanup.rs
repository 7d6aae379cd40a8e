//! The steps on the way down: record the failure, cancel, terminate, and look until EC2 says so.

use haulout_domain::{
    failure::{Failure, FailureCode},
    machine::{InstanceFacts, Machine},
    poll::{self, Awaiting},
    status::{InstanceState, Status},
    transition::Next,
};

use crate::{Provision, StepError, StepEvent};

impl Provision {
    pub(crate) async fn fail(
        &self,
        machine: &Machine,
        event: &StepEvent,
    ) -> Result<Next, StepError> {
        let failure = event.error.as_ref().map_or_else(
            || {
                Failure::new(
                    FailureCode::StepFailed,
                    "provisioning failed for an unknown reason",
                )
            },
            |caught| Failure::from_caught(&caught.error, &caught.cause),
        );
        self.record_failure(machine, &failure).await
    }

    pub(crate) async fn cancel_command(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        if machine.cycle == cycle
            && machine.is_unwinding()
            && let (Some(id), Some(command)) = (&machine.instance_id, &machine.command_id)
        {
            self.remote.cancel(id, command).await?;
        }
        Ok(Next::Cleanup)
    }

    pub(crate) async fn terminate(&self, machine: &Machine, cycle: u32) -> Result<Next, StepError> {
        let mut machine = machine.clone();
        if machine.cycle == cycle && machine.status.is_provisioning() && !machine.is_unwinding() {
            // The failure that led here could not be recorded at the time; its execution's history has it.
            let failure = Failure::new(
                FailureCode::StepFailed,
                "provisioning failed, and the reason could not be recorded",
            );
            self.record_failure(&machine, &failure).await?;
            let Some(current) = self.store.get(&machine.id).await? else {
                return Ok(Next::Stopped);
            };
            machine = current;
        }
        if machine.cycle != cycle || !machine.is_unwinding() {
            return Ok(ended(&machine));
        }
        // A known instance is not looked for: EC2 may not show it yet, and ends it all the same.
        let ids = match &machine.instance_id {
            Some(id) => vec![id.clone()],
            None => self
                .instances(&machine)
                .await?
                .into_iter()
                .map(|facts| facts.id)
                .collect(),
        };
        for id in &ids {
            self.compute.terminate(id).await?;
        }
        Ok(Next::Again {
            wait_seconds: poll::wait_seconds(Awaiting::Termination, jiff::SignedDuration::ZERO),
        })
    }

    pub(crate) async fn check_termination(
        &self,
        machine: &Machine,
        cycle: u32,
    ) -> Result<Next, StepError> {
        if machine.cycle != cycle || !machine.is_unwinding() {
            return Ok(ended(machine));
        }
        let seen = if machine.gone_at.is_some() {
            Vec::new()
        } else {
            self.instances(machine).await?
        };
        let now = self.clock.now();
        let is_gone = !seen.is_empty()
            && seen
                .iter()
                .all(|facts| facts.state == InstanceState::Terminated);
        if is_gone || machine.gone_at.is_some() {
            let gone = self
                .change(machine, |machine| machine.instance_gone(now))
                .await?;
            let Some((machine, ())) = gone else {
                return Ok(Next::Stopped);
            };
            return self.delete_group(&machine).await;
        }
        if poll::is_over(machine.phase_entered_at(), poll::TERMINATION_SECONDS, now) {
            tracing::warn!("EC2 has not said that the instance is terminated; left to the sweeper");
            return Ok(ended(machine));
        }
        // One that only now became visible has not been asked to end yet.
        for facts in seen.iter().filter(|facts| {
            !matches!(
                facts.state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            )
        }) {
            self.compute.terminate(&facts.id).await?;
        }
        Ok(Next::Again {
            wait_seconds: machine.wait_for(Awaiting::Termination, now),
        })
    }

    /// Deletes the machine's own security group, if it had one; EC2 refuses for a while after the instance's end.
    async fn delete_group(&self, machine: &Machine) -> Result<Next, StepError> {
        if !machine.has_group_left() {
            return Ok(ended(machine));
        }
        let now = self.clock.now();
        if self.groups.delete_of(machine).await? {
            let closed = self
                .change(machine, |machine| machine.group_gone(now))
                .await?;
            return Ok(closed.map_or(Next::Stopped, |(machine, ())| ended(&machine)));
        }
        if poll::is_over(machine.phase_entered_at(), poll::TERMINATION_SECONDS, now) {
            tracing::warn!("the security group is still in use; left to the sweeper");
            return Ok(ended(machine));
        }
        Ok(Next::Again {
            wait_seconds: machine.wait_for(Awaiting::Termination, now),
        })
    }

    async fn record_failure(
        &self,
        machine: &Machine,
        failure: &Failure,
    ) -> Result<Next, StepError> {
        let now = self.clock.now();
        let failed = self
            .change(machine, |machine| machine.fail(failure.clone(), now))
            .await?;
        Ok(failed.map_or(Next::Stopped, |(_, next)| next))
    }

    /// The machine's instances: the one it knows, or those that carry its tag.
    async fn instances(&self, machine: &Machine) -> Result<Vec<InstanceFacts>, StepError> {
        if let Some(id) = &machine.instance_id {
            return Ok(self.compute.describe(id).await?.into_iter().collect());
        }
        let found = self.compute.find(&machine.id).await?;
        Ok(found.into_iter().map(|listed| listed.facts).collect())
    }
}

/// How an execution with nothing left to do ends.
fn ended(machine: &Machine) -> Next {
    if machine.status == Status::Failed {
        Next::Failed
    } else {
        Next::Stopped
    }
}
