//! One pass over the records: EC2 is listed first, then every record that has not ended is compared with it.

use std::collections::HashMap;

use haulout_aws::{
    compute::Listed,
    error::AwsError,
    progress,
    store::{Page, StoreError},
    telemetry::error_chain,
};
use haulout_domain::{
    ids::MachineId,
    machine::{InstanceFacts, Machine},
    status::Status,
    sweep::{Execution, Resume},
};
use serde::Serialize;

use crate::{Refresh, RefreshEvent};

/// The statuses a pass looks at: all in which an instance may exist.
const OPEN: [Status; 6] = [
    Status::WaitingForInstance,
    Status::WaitingForSsm,
    Status::FetchingBlob,
    Status::Ready,
    Status::Failed,
    Status::Terminating,
];

/// A pass that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// EC2 could not be listed: without that nothing is decided.
    #[error("the instances could not be listed")]
    Listing(#[source] AwsError),
    /// The records could not be read.
    #[error("the records could not be read")]
    Records(#[from] StoreError),
    /// Some machines could not be taken further; the next pass tries again.
    #[error("{failed} of {looked_at} machines could not be swept; the last one because {reason}")]
    Partly {
        /// How many.
        failed: u32,
        /// Of how many.
        looked_at: u32,
        /// Why, for the last one.
        reason: String,
    },
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records looked at.
    pub looked_at: u32,
    /// Executions started for machines that had none.
    pub resumed: u32,
    /// Instances asked to end.
    pub terminated: u32,
    /// Records closed, because their instance is gone.
    pub closed: u32,
}

/// What went wrong with one machine.
#[derive(Debug, thiserror::Error)]
enum MachineTrouble {
    #[error("an AWS call failed")]
    Aws(#[from] AwsError),
    #[error("the record could not be read or written")]
    Store(#[from] StoreError),
}

type Instances = HashMap<MachineId, Vec<InstanceFacts>>;

impl Refresh {
    /// Does what the event asks for.
    pub async fn run(&self, event: &RefreshEvent) -> Result<Report, SweepError> {
        let mut pass = Pass {
            refresh: self,
            report: Report::default(),
            failed: 0,
            reason: String::new(),
        };
        match event {
            RefreshEvent::Schedule => {
                let instances = by_machine(self.compute.list().await.map_err(SweepError::Listing)?);
                pass.everything(&instances).await?;
                self.store.recount(self.clock.now()).await?;
            }
            RefreshEvent::ExecutionEnded(Some(id)) => pass.one(id).await?,
            RefreshEvent::ExecutionEnded(None) => {
                tracing::warn!("the execution that ended is not named as ours are; nothing to do");
            }
        }
        pass.end()
    }
}

/// A pass under way.
struct Pass<'a> {
    refresh: &'a Refresh,
    report: Report,
    failed: u32,
    reason: String,
}

impl Pass<'_> {
    async fn everything(&mut self, instances: &Instances) -> Result<(), SweepError> {
        for status in OPEN {
            let mut after: Option<MachineId> = None;
            loop {
                let now = self.refresh.clock.now();
                let Page { machines, next } = self
                    .refresh
                    .store
                    .sweep_page(status, after.as_ref(), now)
                    .await?;
                for machine in machines
                    .iter()
                    .filter(|machine| machine.closed_at.is_none())
                {
                    let seen = instances.get(&machine.id).map_or(&[][..], Vec::as_slice);
                    self.look_at(machine, seen, false).await;
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn one(&mut self, id: &MachineId) -> Result<(), SweepError> {
        let seen = self
            .refresh
            .compute
            .find(id)
            .await
            .map_err(SweepError::Listing)?;
        if let Some(machine) = self.refresh.store.get(id).await? {
            self.look_at(&machine, &seen, true).await;
        }
        Ok(())
    }

    /// Trouble with one machine must not keep the pass from the others.
    async fn look_at(&mut self, machine: &Machine, seen: &[InstanceFacts], at_once: bool) {
        self.report.looked_at += 1;
        if let Err(trouble) = self.sweep(machine, seen, at_once).await {
            self.failed += 1;
            self.reason = error_chain(&trouble);
            tracing::error!(machine_id = %machine.id, error = %self.reason, "could not sweep a machine");
        }
    }

    async fn sweep(
        &mut self,
        machine: &Machine,
        seen: &[InstanceFacts],
        at_once: bool,
    ) -> Result<(), MachineTrouble> {
        let now = self.refresh.clock.now();
        if machine.needs_execution(now) || (at_once && machine.status.is_provisioning()) {
            self.resume(machine).await?;
        }
        let store = &self.refresh.store;
        let Some((after, doomed)) = store
            .update(&machine.id, |machine| machine.reconcile(seen, now))
            .await?
        else {
            return Ok(());
        };
        progress::report(&self.refresh.metrics, machine, &after);
        for instance in doomed {
            self.refresh.compute.terminate(&instance).await?;
            self.report.terminated += 1;
            tracing::info!(machine_id = %machine.id, instance_id = %instance, "terminated by the sweep");
        }
        if after.closed_at.is_some() {
            self.report.closed += 1;
            tracing::info!(machine_id = %machine.id, status = %after.status, "closed by the sweep");
        }
        Ok(())
    }

    /// Sees to it that a machine being provisioned has an execution at work.
    async fn resume(&mut self, machine: &Machine) -> Result<(), MachineTrouble> {
        let Refresh {
            store,
            workflow,
            clock,
            ..
        } = self.refresh;
        let execution = workflow.look_up(machine).await?;
        if execution == Execution::Running {
            return Ok(());
        }
        let run = machine.run;
        let now = clock.now();
        let decided = store
            .update(&machine.id, |machine| {
                // Another pass may have taken the machine on since it was read.
                (machine.run == run).then(|| machine.resume(execution, now))
            })
            .await?;
        let Some((machine, Some(Resume::Start))) = decided else {
            return Ok(());
        };
        let started = workflow.start(&machine).await;
        let now = clock.now();
        match &started {
            Ok(()) => {
                self.report.resumed += 1;
                tracing::info!(machine_id = %machine.id, execution = machine.execution_name(), "resumed");
                store
                    .update(&machine.id, |machine| machine.start_succeeded(now))
                    .await?;
            }
            Err(error) => {
                let reason = error_chain(error);
                store
                    .update(&machine.id, |machine| machine.start_failed(&reason, now))
                    .await?;
            }
        }
        Ok(started?)
    }

    fn end(self) -> Result<Report, SweepError> {
        if self.failed > 0 {
            return Err(SweepError::Partly {
                failed: self.failed,
                looked_at: self.report.looked_at,
                reason: self.reason,
            });
        }
        Ok(self.report)
    }
}

fn by_machine(listed: Vec<Listed>) -> Instances {
    let mut instances = Instances::new();
    for Listed { machine, facts } in listed {
        if let Some(machine) = machine {
            instances.entry(machine).or_default().push(facts);
        }
    }
    instances
}
