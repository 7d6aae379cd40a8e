//! Carrying out what an observation of EC2 asks for: instances ended and stopped, security groups deleted,
//! executions started. What is asked for, the record decides (`haulout_domain::sweep`); the sweep and the
//! function that hears EC2's events act on it alike.

use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::Machine,
    sweep::Orders,
};

use crate::{
    clock::Clock,
    compute::Compute,
    emf::Metrics,
    error::AwsError,
    groups::Groups,
    progress,
    store::{Store, StoreError},
    telemetry::error_chain,
    workflow::Workflow,
};

/// What could not be done for a machine.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// AWS said no, or nothing.
    #[error("an AWS call failed")]
    Aws(#[from] AwsError),
    /// The store did.
    #[error("the record could not be read or written")]
    Store(#[from] StoreError),
}

impl Trouble {
    /// Repeating it may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Aws(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
        }
    }
}

/// What acts on machines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hands {
    /// The records.
    pub store: Store,
    /// EC2's instances.
    pub compute: Compute,
    /// EC2's security groups.
    pub groups: Groups,
    /// Step Functions.
    pub workflow: Workflow,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

impl Hands {
    /// Changes a record and reports its progress. Answers the record as it now stands, and what `change` said.
    pub async fn change<T>(
        &self,
        id: &MachineId,
        mut change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StoreError> {
        let mut before = None;
        let changed = self
            .store
            .update(id, |machine| {
                before = Some(machine.clone());
                change(machine)
            })
            .await?;
        if let (Some(before), Some((after, _))) = (&before, &changed) {
            progress::report(&self.metrics, before, after);
        }
        Ok(changed)
    }

    /// Carries out all of a machine's orders, each by itself.
    pub async fn carry_out(&self, machine: &Machine, orders: &Orders) -> Result<(), Trouble> {
        for instance in &orders.terminate {
            self.compute.terminate(instance).await?;
            tracing::info!(machine_id = %machine.id, instance_id = %instance, "asked EC2 to terminate");
        }
        if let Some(instance) = &orders.stop {
            self.stop(&machine.id, instance).await?;
        }
        if orders.delete_group {
            self.delete_group(machine).await?;
        }
        Ok(())
    }

    /// Asks EC2 to stop the machine's instance; false, and the record is what it was before, when EC2 refuses for good.
    pub async fn stop(&self, machine: &MachineId, instance: &InstanceId) -> Result<bool, Trouble> {
        let Err(error) = self.compute.stop(instance).await else {
            tracing::info!(machine_id = %machine, instance_id = %instance, "asked EC2 to stop");
            return Ok(true);
        };
        // An instance that EC2 does not know is missing, and may be gone: that is decided by listings.
        if error.is_transient() || error.is("InvalidInstanceID.NotFound") {
            return Err(error.into());
        }
        tracing::warn!(machine_id = %machine, error = error_chain(&error), "EC2 refuses to stop the instance");
        let now = self.clock.now();
        self.change(machine, |machine| {
            machine.stop_refused(&error.failure(), now);
        })
        .await?;
        Ok(false)
    }

    /// Deletes the machine's own security group; false when something still uses it.
    pub async fn delete_group(&self, machine: &Machine) -> Result<bool, Trouble> {
        if !self.groups.delete_of(machine).await? {
            return Ok(false);
        }
        tracing::info!(machine_id = %machine.id, "the security group is deleted");
        let now = self.clock.now();
        self.change(&machine.id, |machine| machine.group_gone(now))
            .await?;
        Ok(true)
    }

    /// Starts the execution that should work on the machine, and notes how that went.
    pub async fn start_execution(&self, machine: &Machine) -> Result<(), Trouble> {
        let started = self.workflow.start(machine).await;
        let now = self.clock.now();
        let noted = self
            .change(&machine.id, |machine| match &started {
                Ok(()) => machine.start_succeeded(now),
                Err(error) => machine.start_failed(&error_chain(error), now),
            })
            .await;
        started?;
        noted?;
        Ok(())
    }
}
