//! How many machines the pool's group should have. Upwards this sets the group's desired capacity; downwards only
//! machines that are named go, so that nobody's machine ever does.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::DEFAULT_BUFFER;
use crate::status::Status;

/// How long a surplus must last before it is reduced.
pub const COOL_DOWN: SignedDuration = SignedDuration::from_mins(10);
/// The most idle machines that are given up in one pass.
pub const MOST_GIVEN_UP: u32 = 10;
/// How long a project that was refused counts as waiting.
pub const WAITS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// How many machines there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Idle machines to keep.
    pub buffer: u32,
    /// The least, used ones included.
    pub min: u32,
    /// The most, used ones included.
    pub max: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            buffer: DEFAULT_BUFFER,
            min: 0,
            max: 200,
        }
    }
}

impl Bounds {
    /// Within the group's own: a group refuses what lies outside.
    #[must_use]
    pub fn within(self, group_min: u32, group_max: u32) -> Self {
        let max = self.max.min(group_max);
        Self {
            min: self.min.max(group_min).min(max),
            max,
            ..self
        }
    }
}

/// The pool's machines, by where they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Coming up, or being staged: idle before long.
    pub warming: u32,
    /// Ready to be handed out.
    pub idle: u32,
    /// Handed out.
    pub claimed: u32,
    /// On their way out.
    pub draining: u32,
}

impl Counts {
    /// Counts a machine in this status.
    pub fn add(&mut self, status: Status) {
        let count = match status {
            Status::Idle => &mut self.idle,
            Status::Claimed => &mut self.claimed,
            Status::Warming
            | Status::WaitingForInstance
            | Status::WaitingForSsm
            | Status::FetchingBlob => &mut self.warming,
            Status::Terminated => return,
            _ => &mut self.draining,
        };
        *count += 1;
    }
}

/// What the group's desired capacity should be: a machine for each project that has one or waits for one, and the
/// buffer; never fewer than are used, whatever the bounds say.
pub fn target(used: u32, waiting: u32, bounds: Bounds) -> u32 {
    let wanted = used.saturating_add(bounds.buffer).saturating_add(waiting);
    wanted.max(bounds.min).min(bounds.max).max(used)
}

/// The desired capacity to set, where the group aims at too few. `desired` is what it aims at now, less the machines
/// whose end will lower it.
pub fn raise(desired: u32, used: u32, waiting: u32, bounds: Bounds) -> Option<u32> {
    let target = target(used, waiting, bounds);
    (target > desired).then_some(target)
}

/// How many idle machines are too many, given what the group aims at. Those of the buffer are not, even where the
/// group aims at more than it can launch.
pub fn surplus(desired: u32, counts: Counts, waiting: u32, bounds: Bounds) -> u32 {
    let target = target(counts.claimed, waiting, bounds);
    let kept = target.saturating_sub(counts.claimed);
    desired
        .saturating_sub(target)
        .min(counts.idle.saturating_sub(kept))
}

/// How many idle machines go now, and since when there is a surplus.
pub fn give_up(surplus: u32, since: Option<Timestamp>, now: Timestamp) -> (u32, Option<Timestamp>) {
    if surplus == 0 {
        return (0, None);
    }
    let since = since.unwrap_or(now);
    if now.duration_since(since) < COOL_DOWN {
        return (0, Some(since));
    }
    (surplus.min(MOST_GIVEN_UP), Some(since))
}
