//! What a pass asks of EC2, once all records were looked at: many instances in a call, and few calls in a pass.

use haulout_aws::{
    compute::MOST_IN_A_CALL, error::AwsError, orders::Trouble, telemetry::error_chain,
};
use haulout_domain::ids::{InstanceId, MachineId};
use jiff::Timestamp;

use crate::pass::Pass;

/// The most calls to EC2 in a pass, listing included: its buckets are shared with everybody in the account.
const MOST_CALLS: u32 = 25;
/// However many the listing takes, so many are left to act.
const LEAST_ACTS: u32 = 5;
/// Of those, so many are kept for what no record explains.
const FOR_STRAYS: u32 = 2;

impl Pass<'_> {
    /// Carries out all orders. What EC2 does not do now is ordered again by the next pass.
    pub(crate) async fn act(&mut self) {
        let (mut doomed, to_stop, with_group) = (
            std::mem::take(&mut self.doomed),
            std::mem::take(&mut self.to_stop),
            std::mem::take(&mut self.with_group),
        );
        doomed.sort();
        doomed.dedup();
        if self.report.dry_run {
            self.foretell_orders(&doomed, &to_stop, &with_group);
            return;
        }
        let most = self.most_calls() - FOR_STRAYS;
        let ended = self.end_instances(self.in_turn(doomed), most).await;
        self.report.terminated += count(&ended);
        for (machine, instance) in self.in_turn(to_stop) {
            if self.may_call(1, most) {
                self.stop(&machine, &instance).await;
            }
        }
        for machine in self.in_turn(with_group) {
            if let Err(trouble) = self.delete_group_of(&machine, most).await {
                self.cannot(&machine, &trouble);
            }
        }
    }

    /// How many calls the whole pass may make.
    pub(crate) fn most_calls(&self) -> u32 {
        MOST_CALLS.max(self.report.ec2_calls + LEAST_ACTS)
    }

    /// Counts calls that are about to be made; false when there were too many already.
    pub(crate) fn may_call(&mut self, calls: u32, most: u32) -> bool {
        let may = self.report.ec2_calls + calls <= most;
        if may {
            self.report.ec2_calls += calls;
        } else {
            self.report.put_off += 1;
        }
        may
    }

    /// Where not all get their turn, each pass begins with another one: what EC2 keeps refusing must not be in the
    /// way of the rest.
    pub(crate) fn in_turn<T>(&self, all: Vec<T>) -> Vec<T> {
        in_turn(all, self.refresh.clock.now())
    }

    /// Asks EC2 to end instances, many in a call. A call that is refused is split until the instance is found that
    /// EC2 does not end. Answers those that EC2 ends.
    pub(crate) async fn end_instances(
        &mut self,
        doomed: Vec<InstanceId>,
        most: u32,
    ) -> Vec<InstanceId> {
        let mut ended = Vec::new();
        let mut batches: Vec<Vec<InstanceId>> = doomed
            .chunks(MOST_IN_A_CALL)
            .rev()
            .map(<[InstanceId]>::to_vec)
            .collect();
        while let Some(mut batch) = batches.pop() {
            if !self.may_call(1, most) {
                continue;
            }
            match self.refresh.compute.terminate_all(&batch).await {
                Ok(()) => {
                    for id in &batch {
                        tracing::info!(instance_id = %id, "terminated by the sweep");
                    }
                    ended.append(&mut batch);
                }
                Err(error) if batch.len() > 1 && !error.is_transient() => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([rest, batch]);
                }
                Err(error) => self.not_ended(&batch, error),
            }
        }
        ended
    }

    fn not_ended(&mut self, batch: &[InstanceId], error: AwsError) {
        if let Some(id) = batch.first() {
            self.cannot(id, &Trouble::from(error));
        }
    }

    async fn stop(&mut self, machine: &MachineId, instance: &InstanceId) {
        match self.hands.stop(machine, instance).await {
            Ok(true) => self.report.stopped += 1,
            Ok(false) => {}
            Err(trouble) => self.cannot(machine, &trouble),
        }
    }

    async fn delete_group_of(&mut self, machine: &MachineId, most: u32) -> Result<(), Trouble> {
        let Some(machine) = self.refresh.store.get(machine).await? else {
            return Ok(());
        };
        // A group whose making was not answered is looked for first.
        let is_known = machine
            .own_group
            .as_ref()
            .is_some_and(|group| group.id.is_some());
        let calls = if is_known { 1 } else { 2 };
        if !machine.has_group_left() || !self.may_call(calls, most) {
            return Ok(());
        }
        if self.hands.delete_group(&machine).await? {
            self.report.groups_deleted += 1;
            self.report.closed += 1;
        } else {
            self.report.put_off += 1;
        }
        Ok(())
    }

    /// EC2 did not do something: what may pass is tried again by the next pass, and no trouble.
    pub(crate) fn cannot(&mut self, of: impl std::fmt::Display, trouble: &Trouble) {
        if trouble.is_transient() {
            self.report.put_off += 1;
            tracing::warn!(of = %of, error = error_chain(trouble), "left to the next pass");
        } else {
            self.fail(of, trouble);
        }
    }

    fn foretell_orders(
        &mut self,
        doomed: &[InstanceId],
        to_stop: &[(MachineId, InstanceId)],
        with_group: &[MachineId],
    ) {
        self.report.terminated = count(doomed);
        self.report.stopped = count(to_stop);
        self.report.groups_deleted = count(with_group);
        for id in doomed {
            self.report
                .would(format!("instance {id} would be terminated"));
        }
        for (_, id) in to_stop {
            self.report.would(format!("instance {id} would be stopped"));
        }
        for id in with_group {
            let line = format!("the security group of machine {id} would be deleted");
            self.report.would(line);
        }
    }
}

/// The same, beginning with another one each minute.
pub(crate) fn in_turn<T>(mut all: Vec<T>, now: Timestamp) -> Vec<T> {
    if let Ok(minute) = usize::try_from(now.as_second() / 60)
        && !all.is_empty()
    {
        let first = minute % all.len();
        all.rotate_left(first);
    }
    all
}

/// How many.
pub(crate) fn count<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}
