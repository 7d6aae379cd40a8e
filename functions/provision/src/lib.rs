//! One step of provisioning per call, for the state machine in `statemachine/provision.asl.json`. A step
//! reads the record, does one thing at AWS, writes what it saw, and says what is next. Each may be
//! repeated, or cut off at any line: the record and the idempotency of the call carry the next one on.

mod cleanup;
mod error;
mod launch;
mod package;
mod step;

use haulout_aws::{
    catalog::Catalog, clock::Clock, compute::Compute, emf::Metrics, groups::Groups, progress,
    registry::Registry, remote::Remote, store::Store, telemetry::error_chain,
};
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    plan::LaunchDefaults,
    staging::{Aggregators, ApiUrl},
    transition::Next,
};
use serde::Deserialize;

pub use error::StepError;

/// What the state machine sends.
#[derive(Debug, Clone, Deserialize)]
pub struct StepEvent {
    /// Which step.
    pub step: Step,
    /// Of which machine.
    pub machine_id: MachineId,
    /// In which cycle. Executions of the first version called it `attempt`.
    #[serde(alias = "attempt")]
    pub cycle: u32,
    /// The execution's name, for the logs.
    #[serde(default)]
    pub execution: String,
    /// For [`Step::Fail`]: what was caught.
    #[serde(default)]
    pub error: Option<Caught>,
}

/// An error as Step Functions hands it to a `Catch`.
#[derive(Debug, Clone, Deserialize)]
pub struct Caught {
    /// The error's name.
    #[serde(rename = "Error", default)]
    pub error: String,
    /// Its details.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

/// The steps, named as in the state machine's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Launch the instance, or start it again.
    Launch,
    /// Look whether it runs.
    CheckInstance,
    /// Look whether its agent reports.
    CheckAgent,
    /// Send the staging script.
    SendCommand,
    /// Look how the staging script stands.
    CheckCommand,
    /// Record a failure.
    Fail,
    /// Cancel the staging script.
    CancelCommand,
    /// End the instance.
    Terminate,
    /// Look whether it ended.
    CheckTermination,
}

/// What the steps work with.
#[derive(Debug, Clone)]
pub struct Provision {
    /// The records.
    pub store: Store,
    /// EC2.
    pub compute: Compute,
    /// Images, templates, subnets and prices.
    pub catalog: Catalog,
    /// Machines' own security groups.
    pub groups: Groups,
    /// Packages.
    pub registry: Registry,
    /// SSM.
    pub remote: Remote,
    /// What the deployment says of launches.
    pub defaults: LaunchDefaults,
    /// Walrus aggregators, in the order they are tried.
    pub aggregators: Aggregators,
    /// Where machines reach the API.
    pub api_url: ApiUrl,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

impl Provision {
    /// Does one step, and logs how it went.
    pub async fn handle(&self, event: &StepEvent) -> Result<Next, StepError> {
        let result = Box::pin(self.run(event)).await;
        match &result {
            Ok(next) => tracing::info!(?next, "step done"),
            Err(error) => {
                tracing::warn!(
                    code = error.name(),
                    error = error_chain(error),
                    "step failed"
                );
            }
        }
        result
    }

    /// Does one step.
    pub async fn run(&self, event: &StepEvent) -> Result<Next, StepError> {
        let Some(machine) = self.store.get(&event.machine_id).await? else {
            tracing::warn!("the machine has no record; nothing to do");
            return Ok(Next::Stopped);
        };
        match event.step {
            Step::Launch => self.launch(&machine, event.cycle).await,
            Step::CheckInstance => self.check_instance(&machine, event.cycle).await,
            Step::CheckAgent => self.check_agent(&machine, event.cycle).await,
            Step::SendCommand => self.send_command(&machine, event.cycle).await,
            Step::CheckCommand => self.check_command(&machine, event.cycle).await,
            Step::Fail => self.fail(&machine, event).await,
            Step::CancelCommand => self.cancel_command(&machine, event.cycle).await,
            Step::Terminate => self.terminate(&machine, event.cycle).await,
            Step::CheckTermination => self.check_termination(&machine, event.cycle).await,
        }
    }

    /// Changes the record; nothing when it is gone, or has come to another attempt or cycle since it was read.
    async fn change<T>(
        &self,
        machine: &Machine,
        mut change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StepError> {
        let changed = self
            .store
            .update_read(machine, |current| {
                let is_same = (current.attempt, current.cycle) == (machine.attempt, machine.cycle);
                is_same.then(|| change(current))
            })
            .await?;
        let Some((after, Some(said))) = changed else {
            return Ok(None);
        };
        progress::report(&self.metrics, machine, &after);
        Ok(Some((after, said)))
    }
}
