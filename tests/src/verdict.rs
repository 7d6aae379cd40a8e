//! The promises a deployment keeps whatever goes wrong, checked at the end of a history.

use std::collections::BTreeSet;

use haulout_domain::{
    failure,
    ids::InstanceId,
    machine::{Machine, SCHEMA},
    naming::{self, TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE},
    status::Status,
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
    broken.extend(nothing_is_left(&machines, &sim));
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
            && tag(TAG_ATTEMPT).is_some_and(|attempt| attempt.parse::<u32>().is_ok())
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

/// Security groups, volumes and spot requests go with their machines.
fn nothing_is_left(machines: &[Machine], sim: &Snapshot) -> Vec<String> {
    let open: BTreeSet<&str> = machines
        .iter()
        .filter(|machine| machine.closed_at.is_none())
        .map(|machine| machine.id.as_str())
        .collect();
    let alive: BTreeSet<&str> = sim
        .machines
        .iter()
        .filter(|instance| instance.state != "terminated")
        .map(|instance| instance.instance_id.as_str())
        .collect();
    let groups = sim
        .security_groups
        .iter()
        .filter(|group| group.tags.contains_key(TAG_DEPLOYMENT))
        .filter(|group| {
            !group
                .tags
                .get(TAG_MACHINE)
                .is_some_and(|machine| open.contains(machine.as_str()))
        })
        .map(|group| format!("security group {} was left", group.name));
    let volumes = sim
        .volumes
        .iter()
        .filter(|volume| !alive.contains(volume.instance_id.as_str()))
        .map(|volume| format!("volume {} was left", volume.volume_id));
    let requests = sim
        .spot_requests
        .iter()
        .filter(|request| matches!(request.state, "open" | "active"))
        .filter(|request| !alive.contains(request.instance_id.as_str()))
        .map(|request| format!("spot request {} was left", request.request_id));
    groups.chain(volumes).chain(requests).collect()
}

fn has_ended(machine: &Machine) -> Option<String> {
    let ended = is_settled(machine)
        && match machine.status {
            Status::Ready | Status::Stopped => machine.closed_at.is_none(),
            Status::Failed => machine.closed_at.is_some() || machine.cycle > 1,
            Status::Terminated => machine.closed_at.is_some(),
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

/// One instance an attempt at most, and the record knows the last one.
fn launched_once(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let instances = instances_of(machine, sim);
    let tokens: BTreeSet<Option<&String>> = instances
        .iter()
        .map(|instance| instance.client_token.as_ref())
        .collect();
    if tokens.len() < instances.len() {
        return Some(format!(
            "{} instances were launched for {} attempts",
            instances.len(),
            tokens.len()
        ));
    }
    let is_ours = |token: &String| {
        (1..=machine.attempt).any(|attempt| *token == naming::client_token(&machine.id, attempt))
    };
    if tokens.iter().any(|token| !token.is_some_and(is_ours)) {
        return Some("another client token".to_owned());
    }
    let known = machine.instance_id.as_ref().map(InstanceId::as_str);
    let current = instances
        .iter()
        .find(|instance| instance.client_token == Some(machine.client_token()))?;
    known
        .is_some_and(|known| known != current.instance_id)
        .then(|| {
            format!(
                "the record knows {known:?}, EC2 launched {}",
                current.instance_id
            )
        })
}

fn nothing_runs(machine: &Machine, sim: &Snapshot) -> Option<String> {
    let known = machine.instance_id.as_ref().map(InstanceId::as_str);
    let (own, others): (Vec<_>, Vec<_>) = instances_of(machine, sim)
        .into_iter()
        .filter(|instance| instance.state != "terminated")
        .partition(|instance| Some(instance.instance_id.as_str()) == known);
    if let Some(instance) = others.first() {
        return Some(format!("{} is {}", instance.instance_id, instance.state));
    }
    let state = own.first().map(|instance| instance.state);
    match (machine.status, state) {
        (Status::Ready, Some("running")) | (Status::Stopped, Some("stopped")) => None,
        (Status::Ready, _) => Some("it is ready, and no instance runs".to_owned()),
        (Status::Stopped, state) => Some(format!("it is stopped, and its instance is {state:?}")),
        (Status::Failed, Some("running")) if machine.closed_at.is_none() => None,
        (_, Some(state)) => Some(format!("{} is {state}", known.unwrap_or_default())),
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

/// From the first to the current status, by steps there are, and never back in time. Each attempt and each cycle is
/// entered once.
fn timeline_is_in_order(machine: &Machine) -> Option<String> {
    let phases: Vec<Status> = machine.timeline.iter().map(|entry| entry.phase).collect();
    let times = |status: Status| {
        let entered = phases.iter().filter(|phase| **phase == status).count();
        u32::try_from(entered).unwrap_or(u32::MAX)
    };
    let in_time = machine
        .timeline
        .windows(2)
        .all(|pair| pair[0].at <= pair[1].at);
    let in_steps = phases.windows(2).all(|pair| may_follow(pair[0], pair[1]));
    let current = phases.last() == Some(&machine.status);
    let begins = phases.first() == Some(&Status::WaitingForInstance);
    let counted = times(Status::WaitingForInstance) == machine.attempt
        && times(Status::Starting) + 1 == machine.cycle;
    (!(in_time && in_steps && current && begins && counted))
        .then(|| format!("its timeline is out of order: {phases:?}"))
}

/// Whether a machine in one status may come to another one next.
fn may_follow(before: Status, after: Status) -> bool {
    use Status as S;
    let ends = matches!(after, S::Terminating | S::Terminated);
    let breaks_off = ends || matches!(after, S::Failed | S::Interrupted);
    match before {
        // Again for another attempt.
        S::WaitingForInstance => {
            breaks_off || matches!(after, S::WaitingForInstance | S::WaitingForSsm | S::Ready)
        }
        S::WaitingForSsm => breaks_off || matches!(after, S::FetchingBlob | S::Draining),
        S::FetchingBlob => breaks_off || matches!(after, S::Ready | S::Idle | S::Draining),
        // In the pool.
        S::Warming => ends || matches!(after, S::Idle | S::WaitingForSsm | S::Draining),
        S::Idle => ends || matches!(after, S::Claimed | S::Warming | S::Draining),
        // Again when EC2 takes it back.
        S::Claimed => ends || matches!(after, S::Claimed | S::Draining),
        S::Ready => ends || matches!(after, S::Stopping | S::Interrupted),
        S::Failed => ends || after == S::Stopping,
        // EC2 may refuse to stop it.
        S::Stopping => ends || matches!(after, S::Stopped | S::Ready | S::Failed),
        S::Stopped => ends || after == S::Starting,
        // One that cannot be started is stopped again.
        S::Starting => ends || matches!(after, S::WaitingForSsm | S::Ready | S::Stopping),
        S::Interrupted => ends,
        S::Terminating | S::Draining => after == S::Terminated,
        S::Terminated => false,
    }
}

/// Ready means that a staging command on its instance ended with success, each time it was brought up, or that a bare
/// machine passed its checks.
fn ready_was_earned(machine: &Machine, sim: &Snapshot) -> Option<String> {
    machine.staging.as_ref()?;
    let phases: Vec<Status> = machine.timeline.iter().map(|entry| entry.phase).collect();
    let became_ready: Vec<Status> = phases
        .windows(2)
        .filter(|pair| pair[1] == Status::Ready && pair[0] != Status::Stopping)
        .map(|pair| pair[0])
        .collect();
    let id = machine.instance_id.as_ref().map(InstanceId::as_str);
    let succeeded = sim
        .commands
        .iter()
        .filter(|command| Some(command.instance_id.as_str()) == id && command.status == "Success")
        .count();
    let staged = became_ready
        .iter()
        .all(|before| *before == Status::FetchingBlob);
    let said = machine.status != Status::Ready
        || machine
            .output
            .as_deref()
            .is_some_and(|output| output.contains("haulout: ready"));
    (!(staged && said && succeeded >= became_ready.len()))
        .then(|| "it is ready, and no staging command succeeded".to_owned())
}
