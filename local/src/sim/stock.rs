//! What exists beside machines and costs money or names when it is left behind: volumes, security groups, spot requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::instance::State;
use super::state::World;

/// A volume.
#[derive(Clone, Debug, Serialize)]
pub struct VolumeView {
    /// Its id.
    pub volume_id: String,
    /// The instance it was made for.
    pub instance_id: String,
    /// `in-use`, or `available` once its instance is terminated.
    pub state: &'static str,
    /// Its device on the instance.
    pub device: String,
    /// Its size in GiB.
    pub size_gib: u32,
    /// EC2's name of its type.
    pub volume_type: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A security group that a caller made.
#[derive(Clone, Debug, Serialize)]
pub struct SecurityGroupView {
    /// Its id.
    pub group_id: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it lets in, as `protocol first-last range`.
    pub ingress: Vec<String>,
    /// The instances that have it and are not terminated.
    pub instance_ids: Vec<String>,
}

/// A spot request.
#[derive(Clone, Debug, Serialize)]
pub struct SpotRequestView {
    /// Its id.
    pub request_id: String,
    /// EC2's name of its state, e.g. `active` or `closed`.
    pub state: &'static str,
    /// EC2's code for how it came to be in that state, e.g. `fulfilled`.
    pub status_code: &'static str,
    /// Its instance.
    pub instance_id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

pub(super) fn volumes(world: &World, now: Timestamp) -> Vec<VolumeView> {
    let mut instances: Vec<_> = world.instances.values().collect();
    instances.sort_by_key(|instance| instance.ordinal);
    let views = instances.into_iter().flat_map(|instance| {
        let gone = instance.state(now) == State::Terminated;
        let left = move |deleted_with_it: bool| !(gone && deleted_with_it);
        let volumes = instance.volumes.iter();
        volumes
            .filter(move |volume| left(volume.delete_on_termination))
            .map(move |volume| VolumeView {
                volume_id: volume.id.clone(),
                instance_id: instance.id.clone(),
                state: if gone { "available" } else { "in-use" },
                device: volume.device.clone(),
                size_gib: volume.size_gib,
                volume_type: volume.kind.clone(),
                encrypted: volume.encrypted,
                tags: volume.tags.clone(),
            })
    });
    views.collect()
}

pub(super) fn security_groups(world: &World, now: Timestamp) -> Vec<SecurityGroupView> {
    let mut groups: Vec<_> = world
        .security_groups
        .values()
        .filter(|g| !g.seeded)
        .collect();
    groups.sort_by_key(|group| group.ordinal);
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for instance in world.instances.values() {
        if instance.state(now) != State::Terminated {
            for group in instance.spec.groups() {
                users.entry(group).or_default().push(instance.id.clone());
            }
        }
    }
    let views = groups.into_iter().map(|group| SecurityGroupView {
        group_id: group.id.clone(),
        name: group.name.clone(),
        tags: group.tags.clone(),
        ingress: group.ingress(),
        instance_ids: users.remove(group.id.as_str()).unwrap_or_default(),
    });
    views.collect()
}

pub(super) fn spot_requests(world: &World, now: Timestamp) -> Vec<SpotRequestView> {
    let mut requests: Vec<_> = world.spot_requests.values().collect();
    requests.sort_by_key(|request| request.ordinal);
    let views = requests.into_iter().map(|request| {
        let instance = world.instances.get(&request.instance_id);
        let (state, status_code, _) = request.state(instance, now);
        SpotRequestView {
            request_id: request.id.clone(),
            state,
            status_code,
            instance_id: request.instance_id.clone(),
            tags: request.tags.clone(),
        }
    });
    views.collect()
}
