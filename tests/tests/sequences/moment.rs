//! What holds at any moment, whatever just happened: the records against what the simulator has.

use std::collections::{BTreeMap, BTreeSet};

use haulout_domain::{
    ids::InstanceId,
    machine::Machine,
    naming::{TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE},
    status::Status,
};
use haulout_local::sim::{MachineView, Snapshot};
use haulout_tests::{
    dynamo::CONTROL,
    faults::Answered,
    world::{DEPLOYMENT, World},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::journal::Journal;

/// A launch whose answer is out may be as old as this when nobody knows it any more.
const YOUNG: SignedDuration = SignedDuration::from_mins(15);

/// Everything that does not hold now.
pub(super) fn broken(world: &World, journal: &Journal) -> Vec<String> {
    let sim = world.sim.state();
    let mut broken: Vec<String> = unexpected_answers(world);
    broken.extend(untraced(journal, &sim));
    broken.extend(launched_twice(&sim));
    broken.extend(left_groups(journal, &sim));
    broken.extend(miscounted(world, journal));
    for machine in journal.machines.values() {
        let wrong = [alive_after_end(machine, &sim), false_ready(machine, &sim)];
        let named = wrong.into_iter().flatten();
        broken.extend(named.map(|what| format!("{}: {what}", machine.id)));
    }
    broken
}

/// 5xx is for AWS's trouble, and 503 is the word for it; 500 is for a deployment that is wrong.
fn unexpected_answers(world: &World) -> Vec<String> {
    let answers = world.faults.take_answers();
    let is_fine = |answer: &Answered| match answer.status {
        503 => answer.is_troubled,
        500 => answer.is_denied,
        status => status < 500,
    };
    answers
        .iter()
        .filter(|answer| !is_fine(answer))
        .map(|answer| format!("{} was answered {}", answer.request, answer.status))
        .collect()
}

fn is_ours(tags: &BTreeMap<String, String>) -> bool {
    tags.get(TAG_DEPLOYMENT)
        .is_some_and(|tag| tag == DEPLOYMENT)
}

fn machine_of<'a>(journal: &'a Journal, tags: &BTreeMap<String, String>) -> Option<&'a Machine> {
    let id = tags.get(TAG_MACHINE)?.parse().ok()?;
    journal.machines.get(&id)
}

/// An instance that lives belongs to a record that has not ended.
fn untraced(journal: &Journal, sim: &Snapshot) -> Vec<String> {
    let is_traced = |instance: &MachineView| {
        let machine = machine_of(journal, &instance.tags);
        let is_young = sim.now.duration_since(instance.launch_time) < YOUNG;
        is_ours(&instance.tags)
            && machine.is_some_and(|machine| machine.closed_at.is_none() || is_young)
    };
    let lives = |instance: &&MachineView| !matches!(instance.state, "terminated" | "shutting-down");
    sim.machines
        .iter()
        .filter(lives)
        .filter(|instance| !is_traced(instance))
        .map(|instance| {
            format!(
                "{} is {} and nobody's",
                instance.instance_id, instance.state
            )
        })
        .collect()
}

fn launched_twice(sim: &Snapshot) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let attempt = |instance: &MachineView| {
        let tag = |key: &str| instance.tags.get(key).cloned().unwrap_or_default();
        (tag(TAG_MACHINE), tag(TAG_ATTEMPT))
    };
    let mut again: Vec<String> = Vec::new();
    for instance in &sim.machines {
        let attempt = attempt(instance);
        if !seen.insert(attempt.clone()) {
            again.push(format!("{attempt:?} was launched twice"));
        }
    }
    again
}

/// A security group of a machine's own goes before its record is closed.
fn left_groups(journal: &Journal, sim: &Snapshot) -> Vec<String> {
    let is_left = |tags| machine_of(journal, tags).is_none_or(|it| it.closed_at.is_some());
    sim.security_groups
        .iter()
        .filter(|group| is_ours(&group.tags) && is_left(&group.tags))
        .map(|group| format!("{} is nobody's", group.name))
        .collect()
}

/// The places taken are as many as there are machines that take one.
fn miscounted(world: &World, journal: &Journal) -> Vec<String> {
    let Some(limit) = world.quota() else {
        return Vec::new();
    };
    let mut owners: BTreeMap<&str, i64> = BTreeMap::new();
    for machine in journal.machines.values() {
        let place = i64::from(machine.closed_at.is_none());
        *owners.entry(&machine.owner).or_default() += place;
    }
    let wrong = owners.into_iter().filter_map(|(owner, there)| {
        let taken = taken(world, owner);
        let is_right = taken == there && there <= i64::from(limit);
        (!is_right)
            .then(|| format!("{owner} has {there} of {limit} machines, {taken} places are taken"))
    });
    wrong.collect()
}

fn taken(world: &World, owner: &str) -> i64 {
    let request = json!({"TableName": CONTROL, "Key": {"pk": {"S": format!("quota#{owner}")}}});
    let (_, answer) = world.dynamo.call("GetItem", request.to_string().as_bytes());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["Item"]["in_use"]["N"]
        .as_str()
        .map_or(0, |number| number.parse().unwrap())
}

fn instance<'a>(machine: &Machine, sim: &'a Snapshot) -> Option<&'a MachineView> {
    let id = machine.instance_id.as_ref().map(InstanceId::as_str)?;
    sim.machines.iter().find(|it| it.instance_id == id)
}

fn alive_after_end(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let instance = instance(machine, sim)?;
    let is_over = machine.closed_at.is_some() || machine.gone_at.is_some();
    (is_over && instance.state != "terminated")
        .then(|| format!("it has ended, and its instance is {}", instance.state))
}

/// Ready is what a staging command earned in this cycle, or status checks did.
fn false_ready(machine: &Machine, sim: &Snapshot) -> Option<String> {
    if machine.status != Status::Ready {
        return None;
    }
    if machine.staging.is_some() {
        let command = machine.command_id.as_ref();
        let is_earned = sim
            .commands
            .iter()
            .any(|it| Some(&it.command_id) == command && it.status == "Success");
        return (!is_earned).then(|| "it is ready without a command that succeeded".to_owned());
    }
    let instance = instance(machine, sim)?;
    // One that was stopped and started behind Haulout's back is being checked anew.
    let is_same = instance.launch_time <= earned_at(machine)?;
    (is_same && instance.state == "running" && !instance.checks_passed)
        .then(|| "it is ready, and its checks have not passed".to_owned())
}

/// When it became ready; a stop that EC2 refused for good only leads back to that.
fn earned_at(machine: &Machine) -> Option<Timestamp> {
    let mut ready = machine
        .timeline
        .iter()
        .rev()
        .filter(|entry| entry.phase == Status::Ready);
    // Refused for the state it was in, it was on its way to another one, and was not what it was before.
    let is_return = |detail: &str| {
        detail.starts_with("not stopped") && !detail.contains("IncorrectInstanceState")
    };
    ready
        .find(|entry| !is_return(&entry.detail))
        .map(|entry| entry.at)
}

/// What the records say is what EC2 has: nothing went by unnoticed.
pub(super) fn is_in_agreement(journal: &Journal, sim: &Snapshot) -> bool {
    let lives = |instance: &&MachineView| instance.state != "terminated";
    let live: BTreeMap<&str, &MachineView> = sim
        .machines
        .iter()
        .filter(lives)
        .map(|instance| (instance.instance_id.as_str(), instance))
        .collect();
    let open = journal
        .machines
        .values()
        .filter(|it| it.closed_at.is_none());
    let fits = |machine: &Machine| {
        let id = machine.instance_id.as_ref().map(InstanceId::as_str);
        let state = id
            .and_then(|id| live.get(id))
            .map(|instance| instance.state);
        let wanted = match machine.status {
            Status::Stopped => "stopped",
            _ => "running",
        };
        state == Some(wanted)
    };
    let (count, fit) = open.fold((0, true), |(count, fit), it| (count + 1, fit && fits(it)));
    fit && count == live.len()
}
