//! Making instances: records, volumes, tags, spot requests, and how this machine is going to behave.

use super::launch_spec::{BlockDevice, LaunchSpec};
use super::placement::Placement;
use super::query::Params;
use super::spot::SpotRequest;
use crate::sim::armed::{Behaviour, Faults, Target};
use crate::sim::clock::after;
use crate::sim::config::SimConfig;
use crate::sim::ids;
use crate::sim::image::Image;
use crate::sim::instance::{Habits, Instance, Tags, Volume};
use crate::sim::lifecycle::{self, Boot};
use crate::sim::state::Call;

/// Everything that is known before instances are made.
pub(super) struct Launch<'a> {
    pub(super) spec: LaunchSpec,
    pub(super) placement: Placement,
    pub(super) template_tags: Tags,
    pub(super) client_token: Option<&'a str>,
    pub(super) params: &'a Params,
}

/// Makes the instances and answers their ids.
pub(super) fn launch(call: &mut Call<'_>, launch: &Launch<'_>) -> Vec<String> {
    let reservation_id = ids::resource("r-");
    (0..launch.placement.count)
        .map(|index| {
            let instance = instance(call, launch, &reservation_id, index);
            let id = instance.id.clone();
            call.world.instances.insert(id.clone(), instance);
            call.world.touch();
            id
        })
        .collect()
}

fn instance(
    call: &mut Call<'_>,
    launch: &Launch<'_>,
    reservation_id: &str,
    index: u32,
) -> Instance {
    let Launch {
        spec, placement, ..
    } = launch;
    call.world.launched += 1;
    let id = ids::resource("i-");
    let target = Target::Query(launch.params);
    let boot = boot(call.faults, call.config, &target);
    let mut tags = spec.tags.get("instance").cloned().unwrap_or_default();
    tags.extend(launch.template_tags.clone());
    let spec = LaunchSpec {
        instance_type: Some(placement.instance_type.clone()),
        ..spec.clone()
    };
    Instance {
        ordinal: call.world.launched,
        reservation_id: reservation_id.to_owned(),
        launch_index: index,
        client_token: launch.client_token.map(Into::into),
        architecture: placement.image.architecture.clone(),
        root_device: placement.image.root_device.clone(),
        zone: placement.subnet.zone.clone(),
        subnet_id: placement.subnet.id.clone(),
        subnet_prefix: placement.subnet.prefix,
        tags,
        volumes: volumes(&spec, &placement.image),
        spot_request_id: spec.spot.is_some().then(|| spot_request(call, &spec, &id)),
        launch_time: call.wall,
        described_from: after(call.now, call.config.describe_lag),
        changeable_from: after(call.now, call.config.change_lag),
        timeline: lifecycle::launched(call.now, &boot),
        habits: habits(call.faults, call.config, &spec, &target),
        was_registered: false,
        before: Vec::new(),
        boots: 0,
        interrupted_at: None,
        interrupted_because: None,
        told: 0,
        warned: false,
        processes_since: None,
        has_files: false,
        spec,
        id,
    }
}

/// How this machine is going to boot, at its launch or at a start.
pub(super) fn boot(faults: &mut Faults, config: &SimConfig, target: &Target<'_>) -> Boot {
    let delay = config.boot_delay;
    match faults.behaviour("boot", target) {
        None => Boot::Runs(delay),
        Some(Behaviour::Never | Behaviour::Hang) => Boot::Never,
        Some(Behaviour::Slow(more)) => Boot::Runs(delay + more),
        Some(Behaviour::Dies(code)) => Boot::Dies(
            delay / 2,
            lifecycle::reason(code.as_deref().unwrap_or("Server.InternalError")),
        ),
    }
}

/// How it is going to behave once it runs.
pub(super) fn habits(
    faults: &mut Faults,
    config: &SimConfig,
    spec: &LaunchSpec,
    target: &Target<'_>,
) -> Habits {
    let managed = config.default_host_management || spec.instance_profile.is_some();
    let mut delayed = |action, usual| match faults.behaviour(action, target) {
        None => Some(usual),
        Some(Behaviour::Slow(more)) => Some(usual + more),
        Some(Behaviour::Never | Behaviour::Hang | Behaviour::Dies(_)) => None,
    };
    let registration = delayed("register", config.registration_delay);
    let status_checks = delayed("status", config.status_check_delay);
    Habits {
        registration: registration.filter(|_| managed),
        status_checks,
    }
}

/// The root volume, and those asked for beside it.
fn volumes(spec: &LaunchSpec, image: &Image) -> Vec<Volume> {
    let tags = spec.tags.get("volume").cloned().unwrap_or_default();
    let root = BlockDevice {
        device: image.root_device.clone(),
        ..BlockDevice::default()
    };
    let mut given = spec.block_devices.iter();
    let has_root = given.any(|d| d.device == image.root_device);
    let devices = (!has_root)
        .then_some(&root)
        .into_iter()
        .chain(&spec.block_devices);
    devices
        .map(|device| Volume {
            id: ids::resource("vol-"),
            device: device.device.clone(),
            size_gib: device.size_gib.unwrap_or(image.root_gib),
            kind: device.volume_type.clone().unwrap_or_else(|| "gp3".into()),
            encrypted: device.encrypted.unwrap_or(false),
            delete_on_termination: device.delete_on_termination.unwrap_or(true),
            tags: tags.clone(),
        })
        .collect()
}

fn spot_request(call: &mut Call<'_>, spec: &LaunchSpec, instance_id: &str) -> String {
    let request = SpotRequest {
        id: ids::spot_request(),
        ordinal: call.world.launched,
        instance_id: instance_id.to_owned(),
        created: call.wall,
        max_price: spec.spot.as_ref().and_then(|s| s.max_price.clone()),
        tags: spec
            .tags
            .get("spot-instances-request")
            .cloned()
            .unwrap_or_default(),
        cancelled: false,
    };
    let id = request.id.clone();
    call.world.spot_requests.insert(id.clone(), request);
    id
}
