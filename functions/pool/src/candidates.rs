//! Machines that were idle a moment ago, kept between requests: one query of the index serves several claims. Whether
//! one is idle still, the claim itself finds out.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use haulout_domain::{ids::MachineId, machine::Machine};
use jiff::{SignedDuration, Timestamp};

/// What is remembered for longer is likely to be taken.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// Machines to try.
#[derive(Debug, Default)]
pub struct Candidates(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    machines: Vec<Machine>,
    read_at: Timestamp,
}

impl Candidates {
    /// One that this request has not tried, if any is remembered and fresh.
    pub(crate) fn take(&self, tried: &BTreeSet<MachineId>, now: Timestamp) -> Option<Machine> {
        let mut remembered = self.lock();
        if now.duration_since(remembered.read_at) > FRESH {
            remembered.machines.clear();
        }
        let at = remembered
            .machines
            .iter()
            .position(|machine| !tried.contains(&machine.id))?;
        Some(remembered.machines.swap_remove(at))
    }

    /// One that was tried and not taken: the project had a machine already.
    pub(crate) fn put_back(&self, machine: Machine) {
        self.lock().machines.push(machine);
    }

    /// Remembers what was just read, in place of what was.
    pub(crate) fn remember(&self, machines: Vec<Machine>, now: Timestamp) {
        *self.lock() = Remembered {
            machines,
            read_at: now,
        };
    }

    /// One of those remembered from earlier requests was taken: others are at it, and the rest may be gone as well.
    pub(crate) fn forget_earlier(&self, now: Timestamp) {
        let mut remembered = self.lock();
        if remembered.read_at < now {
            remembered.machines.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
