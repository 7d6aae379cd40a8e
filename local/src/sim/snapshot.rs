//! What the simulator shows of itself, to tests in the same process and at `GET /_sim/state`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::autoscaling::{self, GroupView};
use super::clock::after;
use super::config::SimConfig;
use super::instance::Instance;
use super::ssm::{Command, Invocation, status};
use super::state::State;
use super::stock::{self, SecurityGroupView, SpotRequestView, VolumeView};

/// Everything at one instant.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Simulated time.
    pub now: Timestamp,
    /// Instances ever launched, those forgotten since included.
    pub launched: u64,
    /// The instances, oldest first; gone ones stay for a day.
    pub machines: Vec<MachineView>,
    /// Volumes that exist: those of machines that are not terminated, and those that outlive theirs.
    pub volumes: Vec<VolumeView>,
    /// Security groups that callers made, oldest first.
    pub security_groups: Vec<SecurityGroupView>,
    /// Auto Scaling groups, by name.
    pub groups: Vec<GroupView>,
    /// Spot requests, oldest first.
    pub spot_requests: Vec<SpotRequestView>,
    /// The commands on machines, oldest first.
    pub commands: Vec<CommandView>,
    /// Requests received, by service and action.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Snapshot {
    /// How often an action was called.
    pub fn calls_of(&self, service: &str, action: &str) -> u64 {
        self.calls
            .get(service)
            .and_then(|actions| actions.get(action))
            .copied()
            .unwrap_or(0)
    }

    /// The Auto Scaling group of that name.
    pub fn group(&self, name: &str) -> Option<&GroupView> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The instances with that tag.
    pub fn tagged(&self, key: &str, value: &str) -> Vec<&MachineView> {
        self.machines
            .iter()
            .filter(|machine| machine.tags.get(key).is_some_and(|v| v == value))
            .collect()
    }
}

/// An instance.
#[derive(Clone, Debug, Serialize)]
pub struct MachineView {
    /// Its id.
    pub instance_id: String,
    /// EC2's name of its state.
    pub state: &'static str,
    /// EC2 no longer knows it.
    pub gone: bool,
    /// The code of why it is in its state.
    pub state_reason: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The tags of its volumes, by device.
    pub volume_tags: BTreeMap<String, BTreeMap<String, String>>,
    /// The client token it was launched with.
    pub client_token: Option<String>,
    /// Its image.
    pub image_id: Option<String>,
    /// Its type.
    pub instance_type: Option<String>,
    /// Its architecture.
    pub architecture: String,
    /// `spot` or `on-demand`.
    pub market: &'static str,
    /// Its spot request.
    pub spot_request_id: Option<String>,
    /// Its zone.
    pub availability_zone: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its public address, while it runs.
    pub public_ip: Option<String>,
    /// Its private address.
    pub private_ip: String,
    /// Last launch or start.
    pub launch_time: Timestamp,
    /// `online`, `connection_lost`, or null: the agent is not registered.
    pub agent: Option<&'static str>,
    /// Both status checks have passed.
    pub checks_passed: bool,
}

/// A command on a machine.
#[derive(Clone, Debug, Serialize)]
pub struct CommandView {
    /// Its id.
    pub command_id: String,
    /// The machine.
    pub instance_id: String,
    /// Systems Manager's status.
    pub status: &'static str,
    /// Its finer word for it.
    pub status_details: &'static str,
    /// The exit code; -1: none.
    pub response_code: i32,
    /// What was to run.
    pub text: String,
}

/// Looks at everything.
pub(super) fn take(state: &State, config: &SimConfig) -> Snapshot {
    let now = config.clock.now();
    let mut instances: Vec<&Instance> = state.world.instances.values().collect();
    instances.sort_by_key(|instance| instance.ordinal);
    let mut commands: Vec<&Command> = state.world.commands.values().collect();
    commands.sort_by_key(|command| command.ordinal);
    let view = |command: &Command, id: &str, invocation: &Invocation| {
        let status = status(
            command,
            invocation,
            state.world.instances.get(id),
            now,
            config.cancel_delay,
        );
        CommandView {
            command_id: command.id.clone(),
            instance_id: id.to_owned(),
            status: status.name,
            status_details: status.details,
            response_code: status.response_code,
            text: command.lines.join("\n"),
        }
    };
    let commands = commands.into_iter().flat_map(|command| {
        command
            .invocations
            .iter()
            .map(move |(id, invocation)| (command, id, invocation))
    });
    Snapshot {
        now,
        launched: state.world.launched,
        machines: instances
            .into_iter()
            .map(|instance| machine(instance, now, config))
            .collect(),
        volumes: stock::volumes(&state.world, now),
        security_groups: stock::security_groups(&state.world, now),
        groups: autoscaling::views(&state.world),
        spot_requests: stock::spot_requests(&state.world, now),
        commands: commands
            .map(|(command, id, invocation)| view(command, id, invocation))
            .collect(),
        calls: state.calls.clone(),
    }
}

fn machine(instance: &Instance, now: Timestamp, config: &SimConfig) -> MachineView {
    let reason = instance.current(now).and_then(|t| t.reason.as_ref());
    let gone = instance
        .terminated_at(now)
        .is_some_and(|at| after(at, config.terminated_visible) <= now);
    MachineView {
        instance_id: instance.id.clone(),
        state: instance.state(now).name(),
        gone,
        state_reason: reason.map(|reason| reason.code.clone()),
        tags: instance.tags.clone(),
        volume_tags: instance
            .volumes
            .iter()
            .map(|v| (v.device.clone(), v.tags.clone()))
            .collect(),
        client_token: instance.client_token.clone(),
        image_id: instance.spec.image_id.clone(),
        instance_type: instance.spec.instance_type.clone(),
        architecture: instance.architecture.clone(),
        market: if instance.is_spot() {
            "spot"
        } else {
            "on-demand"
        },
        spot_request_id: instance.spot_request_id.clone(),
        availability_zone: instance.zone.clone(),
        subnet_id: instance.subnet_id.clone(),
        public_ip: instance.public_ip(now),
        private_ip: instance.private_ip(),
        launch_time: instance.launch_time,
        agent: instance.ping(now).map(super::instance::Ping::word),
        checks_passed: instance.checks_passed(now) == Some(true),
    }
}
