//! What keeps machines in use safe from their own group, and what a round says of the pool.

use haulout_aws::{orders::Trouble, telemetry::error_chain};
use haulout_domain::pool::{Danger, PoolReport};
use jiff::Timestamp;

use super::{PoolError, round::Round};

impl Round<'_> {
    /// Protects machines in use, takes dangers out of the group if that is allowed, and reports.
    pub(super) async fn keep_up(
        &mut self,
        surplus_since: Option<Timestamp>,
    ) -> Result<(), PoolError> {
        self.protect().await;
        let dangers = self.left_dangers().await;
        if let Some(failures) = self.failures.as_ref().filter(|it| it.is_lasting()) {
            tracing::warn!(
                count = failures.count,
                code = failures.last.code,
                error = failures.last.message,
                "what is staged fails on each machine of the pool: one is tried at a time"
            );
        }
        self.tell(&dangers);
        let report = PoolReport {
            at: self.refresh.clock.now(),
            group: self.pool.group.clone(),
            counts: self.counts(),
            desired: self.group.desired,
            group_min: self.group.min,
            group_max: self.group.max,
            dangers,
            surplus_since,
            failures: self.failures.clone(),
        };
        self.errand.done.counts = report.counts;
        self.refresh.store.put_pool_report(&report).await?;
        Ok(())
    }

    async fn protect(&mut self) {
        let unprotected = std::mem::take(&mut self.unprotected);
        if unprotected.is_empty() {
            return;
        }
        let protected = self.pool.fleet.protect(&self.pool.group, &unprotected);
        match protected.await {
            Ok(()) => {
                let count = unprotected.len();
                tracing::warn!(
                    count,
                    "machines in use were not protected from scale-in; now they are"
                );
            }
            // An instance may have left service since the group was read.
            Err(error) => {
                self.errand.done.put_off += 1;
                tracing::warn!(
                    error = error_chain(&error),
                    "machines in use are not protected from scale-in"
                );
            }
        }
    }

    /// The dangers that are left.
    async fn left_dangers(&mut self) -> Vec<Danger> {
        let dangers = self.group.dangers();
        if dangers.is_empty() {
            return dangers;
        }
        tracing::warn!(
            ?dangers,
            group = self.pool.group,
            "the group may end machines in use by itself"
        );
        if !self.pool.repairs {
            return dangers;
        }
        match self.pool.fleet.repair(&self.pool.group, &dangers).await {
            Ok(()) => {
                tracing::info!(?dangers, "taken out of the group");
                Vec::new()
            }
            Err(error) => {
                self.cannot(&self.pool.group, &Trouble::from(error));
                dangers
            }
        }
    }

    fn tell(&self, dangers: &[Danger]) {
        let counts = self.counts();
        tracing::info!(
            found = self.members.len(),
            idle = counts.idle,
            used = counts.claimed,
            warming = counts.warming,
            draining = counts.draining,
            desired = self.group.desired,
            dangers = dangers.len(),
            "the pool"
        );
        let metrics = &self.refresh.metrics;
        metrics.amount("PoolIdle", counts.idle);
        metrics.amount("PoolClaimed", counts.claimed);
        metrics.amount("PoolWarming", counts.warming);
    }
}
