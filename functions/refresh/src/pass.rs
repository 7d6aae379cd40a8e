//! One pass: EC2 is listed first, then every record that has not ended is compared with it.

use haulout_aws::{
    compute::Listed,
    orders::{Hands, Trouble},
    store::{Counts, Page},
    telemetry::error_chain,
};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::Machine,
    status::Status,
    sweep::{Execution, Orders, Resume},
};
use jiff::Timestamp;

use crate::{Refresh, RefreshEvent, Report, SweepError, seen::Seen};

/// How many groups a page of EC2's listing of them holds.
const GROUPS_A_PAGE: usize = 1_000;

impl Refresh {
    /// Does what the event asks for. The pool comes first: somebody may be waiting for a machine.
    pub async fn run(&self, event: &RefreshEvent) -> Result<Report, SweepError> {
        let pool = match event {
            RefreshEvent::Schedule | RefreshEvent::Pool => {
                Some(Box::pin(self.look_after_pool()).await)
            }
            RefreshEvent::DryRun | RefreshEvent::ExecutionEnded(_) => None,
        };
        // Trouble with the one is no reason to leave the other.
        let mut report = Box::pin(self.sweep(event)).await?;
        report.pool = pool.transpose()?;
        Ok(report)
    }

    async fn sweep(&self, event: &RefreshEvent) -> Result<Report, SweepError> {
        let mut pass = Pass::new(self, *event == RefreshEvent::DryRun);
        match event {
            RefreshEvent::Schedule => {
                Box::pin(pass.everything()).await?;
                self.store.keep_counts(&pass.counts).await?;
            }
            RefreshEvent::Pool => {}
            RefreshEvent::DryRun => Box::pin(pass.everything()).await?,
            RefreshEvent::ExecutionEnded(Some(id)) => Box::pin(pass.one(id)).await?,
            RefreshEvent::ExecutionEnded(None) => {
                tracing::warn!("the execution that ended is not named as ours are; nothing to do");
            }
        }
        pass.end()
    }
}

/// A pass under way.
pub(crate) struct Pass<'a> {
    pub(crate) refresh: &'a Refresh,
    pub(crate) hands: Hands,
    pub(crate) report: Report,
    /// The records seen, as the pass leaves them.
    counts: Counts,
    /// To terminate, of all machines looked at.
    pub(crate) doomed: Vec<InstanceId>,
    /// To stop.
    pub(crate) to_stop: Vec<(MachineId, InstanceId)>,
    /// Machines whose security group is to be deleted.
    pub(crate) with_group: Vec<MachineId>,
    /// The deployment is drained.
    is_draining: bool,
    failed: u32,
    reason: String,
    /// Why strays could not be looked after.
    pub(crate) strays_left: Option<String>,
}

impl<'a> Pass<'a> {
    fn new(refresh: &'a Refresh, dry_run: bool) -> Self {
        Self {
            refresh,
            hands: refresh.hands(),
            report: Report {
                dry_run,
                ..Report::default()
            },
            counts: Counts::default(),
            doomed: Vec::new(),
            to_stop: Vec::new(),
            with_group: Vec::new(),
            is_draining: false,
            failed: 0,
            reason: String::new(),
            strays_left: None,
        }
    }

    async fn everything(&mut self) -> Result<(), SweepError> {
        let mut seen = self.list().await?;
        self.is_draining = self.refresh.store.drain().await?.is_some();
        let mut after: Option<MachineId> = None;
        loop {
            let now = self.refresh.clock.now();
            let Page { machines, next } =
                self.refresh.store.sweep_page(after.as_ref(), now).await?;
            for machine in &machines {
                let status = if machine.closed_at.is_none() {
                    let listed = seen.of(machine);
                    self.look_at(machine, &listed, false).await
                } else {
                    machine.status
                };
                self.counts.add(status, machine.source);
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.act().await;
        self.reap(&seen).await;
        Ok(())
    }

    async fn list(&mut self) -> Result<Seen, SweepError> {
        let mut seen = Seen::default();
        let mut listing = self.refresh.compute.listing();
        while let Some(page) = listing.next().await {
            self.report.ec2_calls += 1;
            seen.add(page.map_err(SweepError::Listing)?);
        }
        match self.refresh.groups.list().await {
            Ok(groups) => {
                let pages = groups.len().div_ceil(GROUPS_A_PAGE).max(1);
                self.report.ec2_calls += u32::try_from(pages).unwrap_or(u32::MAX);
                seen.add_groups(groups);
            }
            Err(error) => {
                self.report.ec2_calls += 1;
                tracing::warn!(
                    error = error_chain(&error),
                    "the security groups could not be listed"
                );
                if !error.is_transient() {
                    self.strays_left = Some(error_chain(&error));
                }
            }
        }
        seen.complete();
        Ok(seen)
    }

    async fn one(&mut self, id: &MachineId) -> Result<(), SweepError> {
        self.report.ec2_calls += 1;
        let found = self.refresh.compute.find(id).await;
        let listed = found.map_err(SweepError::Listing)?;
        if let Some(machine) = self.refresh.store.get(id).await? {
            self.look_at(&machine, &listed, true).await;
        }
        self.act().await;
        Ok(())
    }

    /// Looks at a machine; answers the status it then has. Trouble with one must not keep the pass from the others.
    async fn look_at(&mut self, machine: &Machine, listed: &[Listed], at_once: bool) -> Status {
        self.report.looked_at += 1;
        match Box::pin(self.sweep(machine, listed, at_once)).await {
            Ok(status) => status,
            Err(trouble) => {
                self.fail(&machine.id, &trouble);
                machine.status
            }
        }
    }

    /// Something could not be done.
    pub(crate) fn fail(&mut self, of: impl std::fmt::Display, trouble: &Trouble) {
        self.failed += 1;
        self.reason = error_chain(trouble);
        tracing::error!(of = %of, error = %self.reason, "could not sweep a machine");
    }

    async fn sweep(
        &mut self,
        machine: &Machine,
        listed: &[Listed],
        at_once: bool,
    ) -> Result<Status, Trouble> {
        let now = self.refresh.clock.now();
        let is_due = machine.needs_execution(now) || (at_once && machine.status.is_provisioning());
        if is_due && !self.is_draining {
            Box::pin(self.resume(machine)).await?;
        }
        if machine.pool.is_some() {
            // All else is decided where its group is looked at.
            return Ok(machine.status);
        }
        if !machine.counted {
            self.adopt(machine, now).await?;
        }
        let is_draining = self.is_draining;
        // Most machines need nothing: that is decided on what the index shows, without reading each record again.
        let mut preview = machine.clone();
        let orders = decide(&mut preview, listed, is_draining, now);
        if preview == *machine && orders == Orders::default() {
            return Ok(machine.status);
        }
        if self.report.dry_run {
            self.foretell(machine, &preview, orders);
            return Ok(machine.status);
        }
        let decided = self
            .hands
            .change(&machine.id, |machine| {
                decide(machine, listed, is_draining, now)
            })
            .await?;
        let Some((after, orders)) = decided else {
            return Ok(machine.status);
        };
        if after.status == Status::Starting && after.cycle > machine.cycle {
            self.hands.start_execution(&after).await?;
            self.report.resumed += 1;
        }
        if after.closed_at.is_some() {
            self.report.closed += 1;
            tracing::info!(machine_id = %machine.id, status = %after.status, "closed by the sweep");
        }
        self.take(&after.id, orders);
        Ok(after.status)
    }

    /// Keeps a machine's orders for when all are known.
    fn take(&mut self, machine: &MachineId, orders: Orders) {
        self.doomed.extend(orders.terminate);
        if let Some(instance) = orders.stop {
            self.to_stop.push((machine.clone(), instance));
        }
        if orders.delete_group {
            self.with_group.push(machine.clone());
        }
    }

    /// What a dry run says of a machine.
    fn foretell(&mut self, before: &Machine, after: &Machine, orders: Orders) {
        let id = &before.id;
        if before.status != after.status {
            let line = format!(
                "machine {id} would go from {} to {}",
                before.status, after.status
            );
            self.report.would(line);
        }
        if after.closed_at.is_some() {
            self.report.closed += 1;
            self.report.would(format!("machine {id} would be closed"));
        }
        self.take(id, orders);
    }

    /// Sees to it that a machine being brought up has an execution at work.
    async fn resume(&mut self, machine: &Machine) -> Result<(), Trouble> {
        let execution = self.refresh.workflow.look_up(machine).await?;
        if execution == Execution::Running {
            return Ok(());
        }
        let now = self.refresh.clock.now();
        if self.report.dry_run {
            if machine.clone().resume(execution, now) == Resume::Start {
                self.report.resumed += 1;
                let line = format!("machine {} would get another execution", machine.id);
                self.report.would(line);
            }
            return Ok(());
        }
        let (cycle, run) = (machine.cycle, machine.run);
        let decided = self
            .hands
            .change(&machine.id, |machine| {
                // Another pass may have taken the machine on since it was read.
                let is_same = (machine.cycle, machine.run) == (cycle, run);
                is_same.then(|| machine.resume(execution, now))
            })
            .await?;
        let Some((machine, Some(Resume::Start))) = decided else {
            return Ok(());
        };
        self.hands.start_execution(&machine).await?;
        self.report.resumed += 1;
        tracing::info!(machine_id = %machine.id, execution = machine.execution_name(), "resumed");
        Ok(())
    }

    /// A machine made while nobody counted takes a place in its owner's quota.
    async fn adopt(&mut self, machine: &Machine, now: Timestamp) -> Result<(), Trouble> {
        if self.report.dry_run {
            self.report.adopted += 1;
            let line = format!(
                "machine {} would be counted for {}",
                machine.id, machine.owner
            );
            self.report.would(line);
        } else if self.refresh.store.adopt(&machine.id, now).await? {
            self.report.adopted += 1;
        }
        Ok(())
    }

    fn end(self) -> Result<Report, SweepError> {
        if self.failed > 0 {
            return Err(SweepError::Partly {
                failed: self.failed,
                looked_at: self.report.looked_at,
                reason: self.reason,
            });
        }
        match self.strays_left {
            Some(reason) => Err(SweepError::Strays(reason)),
            None => Ok(self.report),
        }
    }
}

/// What is to become of a machine, by what EC2 listed of it.
fn decide(machine: &mut Machine, listed: &[Listed], is_draining: bool, now: Timestamp) -> Orders {
    if is_draining {
        machine.terminate("the deployment is drained", now);
    }
    let seen: Vec<_> = listed
        .iter()
        .filter(|it| machine.explains(&it.facts.id, it.attempt))
        .map(|it| it.facts.clone())
        .collect();
    machine.reconcile(&seen, now)
}
