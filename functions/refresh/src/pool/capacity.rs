//! As many machines as there should be: what is to end is ended, what is too much is given up, and the group is told
//! to aim at more where it aims at too few.

use haulout_aws::orders::Trouble;
use haulout_domain::{
    ids::InstanceId,
    machine::Machine,
    pool::{
        PoolReport,
        capacity::{self, Bounds, Counts},
        failures::{Failures, end_of_staging},
    },
    status::Status,
};
use jiff::Timestamp;

use super::{PoolError, ends::Ends, round::Round};
use crate::act::in_turn;

impl Round<'_> {
    /// Ends, gives up and scales. Answers since when there is a surplus.
    pub(super) async fn act(&mut self) -> Result<Option<Timestamp>, PoolError> {
        let mut ends = Ends::default();
        let bounds = self.bounds().await?;
        let last = self.refresh.store.pool_report().await?;
        self.failures = self.failures_after(last.as_ref());
        let waiting = self.refresh.store.waiting(self.seen_at).await?;
        let waiting = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        self.end_all(&mut ends, waiting, bounds).await;
        if self.is_draining {
            self.group.desired = self.group.desired.saturating_sub(ends.lowered);
            return Ok(None);
        }
        let since = last.and_then(|report| report.surplus_since);
        let since = self.give_up(&mut ends, waiting, bounds, since).await;
        self.scale(&ends, waiting, bounds).await;
        Ok(since)
    }

    /// Machines that failed while they were staged, with none staged since.
    fn failures_after(&self, last: Option<&PoolReport>) -> Option<Failures> {
        let staging = self.pool.settings.staging.as_ref()?;
        let before = last.and_then(|report| report.failures.clone());
        Failures::after(before, &staging.archive, self.staged.values())
    }

    /// Staging fails on each machine: another one would fail, too.
    pub(super) fn fails(&self) -> bool {
        self.failures.as_ref().is_some_and(Failures::is_lasting)
    }

    /// This is one of those on which it fails. What a project gave back ends in any case.
    pub(super) fn has_failed(&self, instance: &InstanceId) -> bool {
        let failed = |machine: &Machine| {
            machine.instance_id.as_ref() == Some(instance)
                && matches!(end_of_staging(machine), Some((_, Some(_))))
        };
        self.fails() && self.staged.values().any(failed)
    }

    /// In a group that cannot grow, one that failed makes room for the next try: once, when it is time for one.
    pub(super) fn tries_another(&mut self) -> bool {
        let is_time = self
            .failures
            .as_ref()
            .is_some_and(|it| it.most_new(self.seen_at) > 0);
        let is_full = self.group.desired >= self.group.max;
        let tries = is_time && is_full && !self.is_trying && self.counts().warming == 0;
        self.is_trying |= tries;
        tries
    }

    async fn bounds(&self) -> Result<Bounds, PoolError> {
        let chosen = self.refresh.store.pool_bounds().await?;
        let bounds = chosen.unwrap_or(self.pool.settings.bounds);
        Ok(bounds.within(self.group.min, self.group.max))
    }

    /// First those whose end lowers what the group aims at: what that comes to decides on the others, whose places are
    /// needed or not.
    async fn end_all(&mut self, ends: &mut Ends, waiting: u32, bounds: Bounds) {
        let to_end = std::mem::take(&mut self.to_end).into_iter();
        let (lowering, mut others): (Vec<_>, Vec<_>) = to_end.partition(|(_, lowers)| *lowers);
        let dead = self.dead_members().into_iter();
        others.extend(dead.map(|instance| (instance, false)));
        // Where not all get their turn, each pass begins with another one.
        for (instance, _) in in_turn(lowering, self.seen_at) {
            self.end(&instance, true, ends).await;
        }
        let target = capacity::target(self.counts().claimed, waiting, bounds);
        for (instance, _) in in_turn(others, self.seen_at) {
            let lowers_desired = self.is_draining || self.fails() || self.aims_at(ends) > target;
            self.end(&instance, lowers_desired, ends).await;
        }
    }

    /// What the group aims at when all ends have lowered it.
    fn aims_at(&self, ends: &Ends) -> u32 {
        let desired = self.group.desired.saturating_sub(ends.lowered);
        desired.saturating_sub(ends.owed)
    }

    async fn give_up(
        &mut self,
        ends: &mut Ends,
        waiting: u32,
        bounds: Bounds,
        since: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let surplus = capacity::surplus(self.aims_at(ends), self.counts(), waiting, bounds);
        let (most, since) = capacity::give_up(surplus, since, self.seen_at);
        let most = usize::try_from(most).unwrap_or_default();
        let idle = std::mem::take(&mut self.idle);
        for (machine, instance) in idle.into_iter().take(most) {
            if ends.is_throttled || self.is_late() {
                break;
            }
            let now = self.seen_at;
            let given_up = self.hands.change(&machine, |machine| machine.give_up(now));
            match given_up.await {
                Ok(Some((_, true))) => {
                    self.errand.done.given_up += 1;
                    self.statuses.insert(instance.clone(), Status::Draining);
                    self.end(&instance, true, ends).await;
                }
                // A project was quicker.
                Ok(_) => {}
                Err(error) => self.cannot(&machine, &Trouble::from(error)),
            }
        }
        since
    }

    /// Tells the group to aim at more.
    async fn scale(&mut self, ends: &Ends, waiting: u32, bounds: Bounds) {
        let Counts { claimed, idle, .. } = self.counts();
        let raised = capacity::raise(self.aims_at(ends), claimed, waiting, bounds);
        let aims_at = self.group.desired.saturating_sub(ends.lowered);
        self.group.desired = aims_at;
        // What the ends left to the next pass will lower is added for as long.
        let wanted = raised.map(|target| target.saturating_add(ends.owed).min(self.group.max));
        // Where staging fails on each machine, hardly any new one is launched.
        let failures = self.failures.as_ref();
        let new = failures.map_or(u32::MAX, |it| it.most_new(self.seen_at));
        // Those that the group keeps at its minimum although they failed are no use, and no reason not to try one.
        let most = claimed
            .saturating_add(idle)
            .saturating_add(ends.owed)
            .saturating_add(new);
        let wanted = wanted.map(|wanted| wanted.min(most));
        let Some(wanted) = wanted.filter(|wanted| *wanted > aims_at) else {
            return;
        };
        tracing::info!(
            from = aims_at,
            to = wanted,
            used = claimed,
            idle,
            waiting,
            "scaling"
        );
        match self.pool.fleet.set_desired(&self.pool.group, wanted).await {
            Ok(()) => {
                self.group.desired = wanted;
                self.errand.done.scaled_to = Some(wanted);
            }
            Err(error) => self.cannot(&self.pool.group, &Trouble::from(error)),
        }
    }
}
