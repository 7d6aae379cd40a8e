//! The promises a deployment keeps whatever goes wrong, checked at the end of a history.

use std::collections::BTreeSet;

use haulout_domain::{
    failure,
    ids::InstanceId,
    machine::{Machine, SCHEMA},
    naming::{TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE},
    status::{Desired, Status},
};
use haulout_local::sim::{MachineView, Snapshot};

use crate::{
    life::is_settled,
    world::{DEPLOYMENT, World},
};

/// Every promise that was broken, in words; nothing if all were kept.
pub async fn broken_promises(world: &World) -> Vec<String> {
    let machines = world.machines().await;
    let sim = world.sim.state();
    let mut broken = instances_are_known(&machines, &sim);
    for machine in &machines {
        let checks = [
            has_ended(machine),
            launched_once(machine, &sim),
            nothing_runs(machine, &sim),
            says_why(machine),
            timeline_is_in_order(machine),
            ready_was_earned(machine, &sim),
        ];
        broken.extend(
            checks
                .into_iter()
                .flatten()
                .map(|what| format!("{}: {what}", machine.id)),
        );
    }
    broken
}

fn instances_are_known(machines: &[Machine], sim: &Snapshot) -> Vec<String> {
    let ids: BTreeSet<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
    let mut broken = Vec::new();
    for instance in &sim.machines {
        let tag = |key: &str| instance.tags.get(key).map(String::as_str);
        let tagged = tag(TAG_DEPLOYMENT) == Some(DEPLOYMENT)
            && tag(TAG_ATTEMPT) == Some("1")
            && tag(TAG_MACHINE).is_some_and(|id| ids.contains(id))
            && instance
                .volume_tags
                .values()
                .all(|tags| tags.get(TAG_DEPLOYMENT).is_some_and(|it| it == DEPLOYMENT));
        if !tagged {
            broken.push(format!(
                "{} cannot be traced to a record: {:?}",
                instance.instance_id, instance.tags
            ));
        }
    }
    if sim.launched != u64::try_from(sim.machines.len()).unwrap_or(0) {
        broken.push(format!(
            "{} instances were launched, {} are known",
            sim.launched,
            sim.machines.len()
        ));
    }
    broken
}

fn has_ended(machine: &Machine) -> Option<String> {
    let ended = is_settled(machine)
        && match machine.status {
            Status::Ready => machine.desired == Desired::Running && machine.closed_at.is_none(),
            Status::Failed | Status::Terminated => machine.closed_at.is_some(),
            _ => false,
        }
        && machine.schema == SCHEMA;
    (!ended).then(|| {
        format!(
            "it has not ended: {}, desired {}, closed {:?}",
            machine.status, machine.desired, machine.closed_at
        )
    })
}

fn instances_of<'a>(machine: &Machine, sim: &'a Snapshot) -> Vec<&'a MachineView> {
    sim.tagged(TAG_MACHINE, machine.id.as_str())
}

fn launched_once(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let instances = instances_of(machine, sim);
    if instances.len() > 1 {
        return Some(format!("{} instances were launched", instances.len()));
    }
    let instance = instances.first()?;
    let known = machine.instance_id.as_ref().map(InstanceId::as_str);
    if known.is_some_and(|known| known != instance.instance_id) {
        return Some(format!(
            "the record knows {known:?}, EC2 launched {}",
            instance.instance_id
        ));
    }
    (instance.client_token != Some(machine.client_token()))
        .then(|| "another client token".to_owned())
}

fn nothing_runs(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let alive = instances_of(machine, sim)
        .into_iter()
        .find(|instance| instance.state != "terminated");
    match (machine.status, alive) {
        (Status::Ready, Some(instance)) if instance.state == "running" => None,
        (Status::Ready, _) => Some("it is ready, and no instance runs".to_owned()),
        (_, Some(instance)) => Some(format!("{} is {}", instance.instance_id, instance.state)),
        (_, None) => None,
    }
}

fn says_why(machine: &Machine) -> Option<String> {
    match (machine.status, &machine.error) {
        (Status::Failed, None) => Some("it failed and does not say why".to_owned()),
        (Status::Ready, Some(error)) => Some(format!("it is ready with an error: {error}")),
        (_, Some(error)) => {
            let understood = failure::known_code(&error.code).is_some()
                && !error.message.trim().is_empty()
                && error.hint.len() > 20
                && error.phase != Status::Failed;
            (!understood).then(|| format!("its error cannot be understood: {error:?}"))
        }
        (_, None) => None,
    }
}

/// Each status at most once, and never back.
fn timeline_is_in_order(machine: &Machine) -> Option<String> {
    let phases: Vec<Status> = machine.timeline.iter().map(|entry| entry.phase).collect();
    let forward = phases.windows(2).all(|pair| pair[0] < pair[1]);
    let in_time = machine
        .timeline
        .windows(2)
        .all(|pair| pair[0].at <= pair[1].at);
    let current = phases.last() == Some(&machine.status);
    let begins = phases.first() == Some(&Status::WaitingForInstance);
    (!(forward && in_time && current && begins))
        .then(|| format!("its timeline is out of order: {phases:?}"))
}

/// Ready means that a staging command on its instance ended with success, or that a bare machine passed its checks.
fn ready_was_earned(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let was_ready = machine
        .timeline
        .iter()
        .any(|entry| entry.phase == Status::Ready);
    if !was_ready || machine.staging.is_none() {
        return None;
    }
    let id = machine.instance_id.as_ref().map(InstanceId::as_str);
    let succeeded = sim
        .commands
        .iter()
        .any(|command| Some(command.instance_id.as_str()) == id && command.status == "Success");
    let said = machine
        .output
        .as_deref()
        .is_some_and(|output| output.contains("haulout: ready"));
    (!(succeeded && said)).then(|| "it is ready, and no staging command succeeded".to_owned())
}
