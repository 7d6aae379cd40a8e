//! What people were told by the end: everything that happened to a machine, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use haulout_domain::{ids::MachineId, status::Status};
use haulout_tests::world::World;

use super::journal::{Entered, Journal};

/// A machine and what happened to it.
type Event = (String, &'static str);

/// What was not told, and what was told that never was.
pub(super) fn broken(world: &World, journal: &Journal) -> Vec<String> {
    let happened = happened(journal);
    let mut told = BTreeSet::new();
    let mut broken = Vec::new();
    for message in world.sns.messages() {
        let attribute = |name: &str| message.attributes.get(name).cloned().unwrap_or_default();
        let (id, event) = (attribute("machine_id"), attribute("event"));
        let it = happened.keys().find(|it| it.0 == id && it.1 == event);
        match it {
            Some(it) if message.body.contains(&id) => {
                told.insert(it.clone());
            }
            _ => broken.push(format!("{id}: '{event}' was told: {}", message.subject)),
        }
    }
    let untold = happened
        .iter()
        .filter(|(it, must)| **must && !told.contains(*it));
    broken.extend(untold.map(|((id, event), _)| format!("{id}: '{event}' was not told")));
    broken
}

/// What happened, and whether it must be told or only may be.
fn happened(journal: &Journal) -> BTreeMap<Event, bool> {
    let mut events: BTreeMap<Event, bool> = BTreeMap::new();
    let mut add = |id: &MachineId, event, must: bool| {
        *events.entry((id.to_string(), event)).or_default() |= must;
    };
    for machine in journal.machines.values() {
        add(&machine.id, "created", true);
        if machine.expiry_announced_at.is_some() {
            add(&machine.id, "expiring", true);
        }
    }
    let mut refused: BTreeSet<&MachineId> = BTreeSet::new();
    for Entered {
        id,
        from,
        to,
        cycle,
    } in &journal.entered
    {
        match to {
            Status::Ready if *cycle > 1 => add(id, "started", true),
            Status::Ready => add(id, "ready", true),
            Status::Failed => add(id, "failed", true),
            Status::Stopping if *from == Status::Starting => {
                refused.insert(id);
                add(id, "failed", true);
            }
            Status::Stopping => {
                refused.remove(id);
            }
            // After a start that was refused, `failed` says it.
            Status::Stopped => add(id, "stopped", !refused.contains(id)),
            Status::Terminated => add(id, "terminated", true),
            Status::Interrupted => add(id, "interrupted", true),
            _ => {}
        }
    }
    events
}
