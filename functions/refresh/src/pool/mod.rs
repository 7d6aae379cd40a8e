//! The pool: its group's instances are found, warmed, handed back to the group, and kept as many as they should be.
//! One pass at a time, by a lease: ending an instance in its group lowers what the group aims at, and must happen once.

mod capacity;
mod ends;
mod round;
mod upkeep;

use std::collections::HashSet;

use haulout_aws::{error::AwsError, fleet::Fleet, remote::Remote, store::StoreError};
use haulout_domain::{
    ids::InstanceId,
    poll::Deadlines,
    pool::{PoolSettings, capacity::Counts},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use self::round::Round;
use crate::Refresh;

/// The lease's name.
const LEASE: &str = "pool";
/// Longer than the function may run (60 s in template.yaml): who holds it for so long is dead.
const LEASE_LASTS: SignedDuration = SignedDuration::from_secs(90);
/// A round that somebody asked for is begun only so soon after the first one.
const ROUNDS_WITHIN: SignedDuration = SignedDuration::from_secs(15);
/// The most rounds of one invocation.
const MOST_ROUNDS: u32 = 4;
/// From then on, records and instances are left to the next pass.
const LATE_AFTER: SignedDuration = SignedDuration::from_secs(25);

/// What the pool is looked after with.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Auto Scaling.
    pub fleet: Fleet,
    /// Systems Manager.
    pub remote: Remote,
    /// The group's name.
    pub group: String,
    /// What the pool should be.
    pub settings: PoolSettings,
    /// Settings of the group that endanger machines in use are changed, and not only reported.
    pub repairs: bool,
    /// How long a machine may take to warm.
    pub deadlines: Deadlines,
}

/// A pass over the pool that could not be made, or not in full.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The group or its instances could not be read: without that nothing is decided.
    #[error("the group or its instances could not be read")]
    Aws(#[from] AwsError),
    /// The records could not be.
    #[error("the records could not be read")]
    Records(#[from] StoreError),
    /// Some of it could not be done; the next pass tries again.
    #[error("{failed} things could not be done; the last one because {reason}")]
    Partly {
        /// How many.
        failed: u32,
        /// Why, for the last one.
        reason: String,
    },
}

/// What a pass over the pool did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolDone {
    /// Instances of the group.
    pub found: u32,
    /// Of those, found for the first time.
    pub new: u32,
    /// Machines by where they are.
    pub counts: Counts,
    /// Instances ended in the group.
    pub ended: u32,
    /// Idle machines given up because there were too many.
    pub given_up: u32,
    /// What the group was told to aim at.
    pub scaled_to: Option<u32>,
    /// What was left to the next pass.
    pub put_off: u32,
    /// How often it was gone round; not at all when another pass was at it.
    pub rounds: u32,
}

/// An invocation's way through its rounds.
pub(crate) struct Errand {
    /// When it began.
    started: Timestamp,
    /// Instances whose end the group was asked for. What it shows of them may be older than that.
    asked: HashSet<InstanceId>,
    done: PoolDone,
}

impl Errand {
    fn new(started: Timestamp) -> Self {
        Self {
            started,
            asked: HashSet::new(),
            done: PoolDone::default(),
        }
    }

    fn may_go_round(&self, now: Timestamp) -> bool {
        self.done.rounds < MOST_ROUNDS && now.duration_since(self.started) < ROUNDS_WITHIN
    }

    fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.started) >= LATE_AFTER
    }
}

impl Refresh {
    /// Looks after the pool, unless somebody else is at it: who then goes round once more.
    pub(crate) async fn look_after_pool(&self) -> Result<PoolDone, PoolError> {
        let Some(pool) = &self.pool else {
            return Ok(PoolDone::default());
        };
        let holder = Uuid::now_v7().to_string();
        let mut errand = Errand::new(self.clock.now());
        while self.take_pool(&holder).await? {
            let round = Box::pin(Round::go(self, pool, &mut errand)).await;
            errand.done.rounds += 1;
            let is_wanted = self.store.give_lease_back(LEASE, &holder).await?;
            let goes_on = round.is_ok() && errand.may_go_round(self.clock.now());
            if is_wanted && !goes_on {
                self.let_go(&holder).await?;
            }
            round?;
            if !(is_wanted && goes_on) {
                return Ok(errand.done);
            }
        }
        if errand.done.rounds == 0 {
            tracing::info!("another pass is at the pool, and goes round once more");
        }
        Ok(errand.done)
    }

    async fn take_pool(&self, holder: &str) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.store.take_lease(LEASE, holder, now, LEASE_LASTS).await
    }

    /// Gives the lease back although somebody left a mark: what they came for is left to the next pass.
    async fn let_go(&self, holder: &str) -> Result<(), StoreError> {
        tracing::warn!("the pool is left to the next pass");
        for _ in 0..MOST_ROUNDS {
            if !self.take_pool(holder).await? || !self.store.give_lease_back(LEASE, holder).await? {
                break;
            }
        }
        Ok(())
    }
}
