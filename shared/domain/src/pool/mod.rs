//! The pool: idle machines of an Auto Scaling group, kept warm and handed to projects. Every decision about it is
//! here: how many machines it should have ([`capacity`]), what a machine's life in it is ([`life`]), whose a machine is
//! ([`claim`]), and what is done when all fail ([`failures`]).

pub mod capacity;
pub mod claim;
pub mod failures;
pub mod life;
mod project;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::project::{ProjectId, ProjectIdError, RESERVED};
use self::{capacity::Bounds, claim::Claim, failures::Failures};
use crate::{ids::InstanceId, staging::StagingSpec};

/// Idle machines the pool keeps unless it is told otherwise.
pub const DEFAULT_BUFFER: u32 = 5;

/// What the pool should be. Callers change the bounds; the rest is the deployment's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSettings {
    /// How many machines.
    pub bounds: Bounds,
    /// What is staged on a machine before it is idle; nothing for bare machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<StagingSpec>,
}

/// A machine's place in the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The Auto Scaling group.
    pub group: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Whose it was, once it is on its way out: he may ask what became of it, and ask for its end again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_owner: Option<String>,
    /// Its end lowers the group's desired capacity, so that the group launches no other one in its place.
    #[serde(default)]
    pub lowers_desired: bool,
}

impl Membership {
    /// Nobody has it any more.
    pub(crate) fn let_go(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.last_owner = Some(claim.owner);
        }
    }
}

/// Where an instance is in the life that its group gives it (Auto Scaling API, `LifecycleState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lifecycle {
    /// Being launched.
    Pending,
    /// Launched, and counted by the group.
    InService,
    /// Being ended, or being taken out of the group.
    Leaving,
    /// Set aside by somebody, such as `Standby`.
    Aside,
}

/// An instance as its group shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// EC2's id.
    pub instance: InstanceId,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// The group holds it for healthy.
    pub healthy: bool,
    /// It is protected from scale-in.
    pub is_protected: bool,
}

/// The group itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The least it keeps.
    pub min: u32,
    /// The most it launches.
    pub max: u32,
    /// How many it aims at.
    pub desired: u32,
    /// Its instances are protected from scale-in from the start.
    pub protects_new: bool,
    /// It ends instances of this age, in seconds.
    pub max_lifetime_seconds: Option<u32>,
    /// Processes that are suspended.
    pub suspended: Vec<String>,
    /// Its instances.
    pub members: Vec<Member>,
}

/// A process that ends instances for a better balance of zones (Auto Scaling API, `ProcessNames`).
pub const AZ_REBALANCE: &str = "AZRebalance";
/// The process that ends instances the group holds for unhealthy.
pub const REPLACE_UNHEALTHY: &str = "ReplaceUnhealthy";

/// What somebody should mend: a setting of the group by which it would end machines that are in use, or what is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// New instances are not protected from scale-in.
    NewInstancesUnprotected,
    /// The process AZRebalance is not suspended.
    AzRebalance,
    /// The process ReplaceUnhealthy is not suspended.
    ReplaceUnhealthy,
    /// Instances have a maximum lifetime.
    MaxInstanceLifetime,
    /// What is staged fails on each machine.
    StagingFails,
}

impl Group {
    /// What of its settings endangers machines in use.
    pub fn dangers(&self) -> Vec<Danger> {
        let is_suspended = |process: &str| self.suspended.iter().any(|it| it == process);
        let checks = [
            (Danger::NewInstancesUnprotected, !self.protects_new),
            (Danger::AzRebalance, !is_suspended(AZ_REBALANCE)),
            (Danger::ReplaceUnhealthy, !is_suspended(REPLACE_UNHEALTHY)),
            (
                Danger::MaxInstanceLifetime,
                self.max_lifetime_seconds.is_some_and(|it| it > 0),
            ),
        ];
        let found = checks.into_iter().filter(|(_, is_so)| *is_so);
        found.map(|(danger, _)| danger).collect()
    }
}

/// What the last refresh found; kept for GET /pool and GET /status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolReport {
    /// When it ended.
    pub at: Timestamp,
    /// The group.
    pub group: String,
    /// Machines by where they are.
    pub counts: capacity::Counts,
    /// What the group aims at.
    pub desired: u32,
    /// The group's own bounds.
    pub group_min: u32,
    /// The group's own bounds.
    pub group_max: u32,
    /// Settings of the group that endanger machines in use, and whether staging fails.
    #[serde(default)]
    pub dangers: Vec<Danger>,
    /// Since when more machines are idle than the buffer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surplus_since: Option<Timestamp>,
    /// Machines that failed while they were staged, with none staged since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
}
