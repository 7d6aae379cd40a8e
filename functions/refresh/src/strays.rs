//! Strays: instances and security groups that carry this deployment's tag and that no record explains. They are
//! ended carefully, because a table that was restored or replaced explains nothing: only what an earlier pass saw
//! too, only when its record, read once more, still does not explain it, and only a few a pass.

use std::fmt::Display;

use haulout_aws::{groups::Deleted, orders::Trouble, store::StoreError, telemetry::error_chain};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    launch::SecurityGroupId,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    act::count,
    pass::Pass,
    seen::{Seen, Stray},
};

/// How long ago a stray must have been sighted for the first time.
const SIGHTED_BEFORE: SignedDuration = SignedDuration::from_mins(2);
/// How long ago a stray instance must have been launched.
const LAUNCHED_BEFORE: SignedDuration = SignedDuration::from_mins(10);
/// The most instances, and the most groups, that are ended in a pass.
const MOST_ENDED: usize = 5;
/// The most of each that are sighted in a pass.
const MOST_SIGHTED: usize = 100;

impl Pass<'_> {
    /// Sights strays, and ends those that were sighted before.
    pub(crate) async fn reap(&mut self, seen: &Seen) {
        let (instances, groups) = (seen.stray_instances(), seen.stray_groups());
        self.report.strays = count(&instances) + count(&groups);
        if self.report.dry_run {
            self.foretell_strays(&instances, "instance");
            self.foretell_strays(&groups, "security group");
            return;
        }
        let most = self.most_calls();
        let reaped = async {
            self.reap_instances(instances, most).await?;
            self.reap_groups(groups, most).await
        };
        if let Err(error) = reaped.await {
            tracing::error!(
                error = error_chain(&error),
                "the strays could not be looked after"
            );
            self.strays_left = Some(error_chain(&error));
        }
        if self.report.capped > 0 {
            tracing::error!(
                left = self.report.capped,
                "more strays than one pass may end: is the table of machines the right one?"
            );
            self.refresh.metrics.count("StraysCapped", &[]);
        }
    }

    async fn reap_instances(
        &mut self,
        strays: Vec<Stray<InstanceId>>,
        most: u32,
    ) -> Result<(), StoreError> {
        let now = self.refresh.clock.now();
        let is_old = |stray: &Stray<InstanceId>| {
            let launched = stray.launched;
            launched.is_none_or(|at| now.duration_since(at) >= LAUNCHED_BEFORE)
        };
        let mut ripe = self.sight(strays).await?;
        ripe.retain(is_old);
        let mut doomed = Vec::new();
        for stray in self.in_turn(ripe) {
            if doomed.len() >= MOST_ENDED {
                self.report.capped += 1;
            } else if !self.is_explained(&stray).await? {
                tracing::warn!(instance_id = %stray.id, "ending an instance that no record explains");
                doomed.push(stray.id);
            }
        }
        for id in self.end_instances(doomed, most).await {
            self.report.reaped += 1;
            self.refresh.store.forget(id.as_str()).await?;
        }
        Ok(())
    }

    async fn reap_groups(
        &mut self,
        strays: Vec<Stray<SecurityGroupId>>,
        most: u32,
    ) -> Result<(), StoreError> {
        let ripe = self.sight(strays).await?;
        let mut tried = 0;
        for stray in self.in_turn(ripe) {
            if tried >= MOST_ENDED {
                self.report.capped += 1;
            } else if !self.has_open_record(stray.machine.as_ref()).await? && self.may_call(1, most)
            {
                tried += 1;
                self.delete_group(&stray.id).await?;
            }
        }
        Ok(())
    }

    async fn delete_group(&mut self, id: &SecurityGroupId) -> Result<(), StoreError> {
        match self.refresh.groups.delete(id).await {
            Ok(Deleted::Gone) => {
                tracing::warn!(group_id = %id, "deleted a security group that no record explains");
                self.report.reaped += 1;
                self.refresh.store.forget(id.as_str()).await?;
            }
            // Its instance is still there; when that has ended, so does the group.
            Ok(Deleted::InUse) => self.report.put_off += 1,
            Err(error) => self.cannot(id, &Trouble::from(error)),
        }
        Ok(())
    }

    /// Notes that these were seen; answers those that were seen long enough ago.
    async fn sight<I: Id>(&mut self, strays: Vec<Stray<I>>) -> Result<Vec<Stray<I>>, StoreError> {
        let now: Timestamp = self.refresh.clock.now();
        let mut ripe = Vec::new();
        for stray in strays.into_iter().take(MOST_SIGHTED) {
            let sighting = self.refresh.store.sight(stray.id.text(), now).await?;
            if now.duration_since(sighting.first) >= SIGHTED_BEFORE {
                ripe.push(stray);
            }
        }
        Ok(ripe)
    }

    /// The record as it is now explains the instance: the index that the pass went by lags behind.
    async fn is_explained(&self, stray: &Stray<InstanceId>) -> Result<bool, StoreError> {
        let store = &self.refresh.store;
        let record = match &stray.machine {
            Some(machine) => store.get(machine).await?,
            None => None,
        };
        if record.is_some_and(|record| record.explains(&stray.id, stray.attempt)) {
            return Ok(true);
        }
        // Tags can be changed by anybody; the record may still know the instance.
        let known = store.find_by_instance(&stray.id).await?;
        Ok(known.is_some_and(|record| record.explains(&stray.id, stray.attempt)))
    }

    async fn has_open_record(&self, machine: Option<&MachineId>) -> Result<bool, StoreError> {
        let Some(machine) = machine else {
            return Ok(false);
        };
        let record = self.refresh.store.get(machine).await?;
        Ok(record.is_some_and(|record| record.closed_at.is_none()))
    }

    fn foretell_strays<I: Display>(&mut self, strays: &[Stray<I>], what: &str) {
        for stray in strays {
            let line = format!(
                "{what} {} is explained by no record; seen again in two minutes, it would be ended",
                stray.id
            );
            self.report.would(line);
        }
    }
}

/// What EC2 calls something.
trait Id {
    fn text(&self) -> &str;
}

impl Id for InstanceId {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Id for SecurityGroupId {
    fn text(&self) -> &str {
        self.as_str()
    }
}
