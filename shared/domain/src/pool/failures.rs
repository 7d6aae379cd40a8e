//! Machines of the pool that fail one after another while they are staged. What fails on each of them is not mended by
//! launching more: then one is tried at a time, and a pause made after each.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{failure::MachineError, machine::Machine, staging::Archive, status::Status};

/// So many failures in a row are no bad luck any more.
pub const MOST_FAILED: u32 = 3;
/// The pause after each of those.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// Failures with no success since. Kept in the report from pass to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Of what.
    pub archive: Archive,
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last_at: Timestamp,
    /// How it failed.
    pub last: MachineError,
}

/// When staging on a machine of the pool came to its end, and how: ready for use, or failed. Nothing while it goes on.
pub fn end_of_staging(machine: &Machine) -> Option<(Timestamp, Option<&MachineError>)> {
    let idle = machine
        .timeline
        .iter()
        .rfind(|entry| entry.phase == Status::Idle);
    if let Some(entry) = idle {
        return Some((entry.at, None));
    }
    let while_staged =
        |error: &&MachineError| matches!(error.phase, Status::WaitingForSsm | Status::FetchingBlob);
    let error = machine.error.as_ref().filter(while_staged)?;
    // A machine of the pool leaves when it fails. That its instance ends later is no other failure.
    let left = machine
        .timeline
        .iter()
        .rfind(|entry| entry.phase == Status::Draining);
    let at = left.map_or_else(|| machine.phase_entered_at(), |entry| entry.at);
    Some((at, Some(error)))
}

impl Failures {
    /// What is known after a pass that saw these machines, in any order; `before`, what was known before it.
    pub fn after<'a>(
        before: Option<Self>,
        archive: &Archive,
        machines: impl IntoIterator<Item = &'a Machine>,
    ) -> Option<Self> {
        let is_of_it = |machine: &&Machine| {
            let staging = machine.staging.as_ref();
            staging.is_some_and(|staging| staging.archive == *archive)
        };
        let mut ends: Vec<_> = machines
            .into_iter()
            .filter(is_of_it)
            .filter_map(end_of_staging)
            .collect();
        ends.sort_by_key(|(at, _)| *at);
        let mut failures = before.filter(|before| before.archive == *archive);
        // Several may fail at once: only what the report has is known already.
        let known_until = failures.as_ref().map(|known| known.last_at);
        for (at, error) in ends {
            let Some(error) = error else {
                failures = failures.filter(|it| it.last_at >= at);
                continue;
            };
            if known_until.is_some_and(|until| until >= at) {
                continue;
            }
            let count = failures.as_ref().map_or(0, |known| known.count);
            failures = Some(Self {
                archive: archive.clone(),
                count: count.saturating_add(1),
                last_at: at,
                last: error.clone(),
            });
        }
        failures
    }

    /// It is not bad luck.
    pub fn is_lasting(&self) -> bool {
        self.count >= MOST_FAILED
    }

    /// How many machines may be on their way now.
    pub fn most_new(&self, now: Timestamp) -> u32 {
        if !self.is_lasting() {
            return u32::MAX;
        }
        u32::from(now.duration_since(self.last_at) >= PAUSE)
    }
}
