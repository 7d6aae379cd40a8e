//! What the simulator shows of its groups.

use serde::Serialize;

use super::group::ScalingGroup;
use super::member::Member;
use crate::sim::state::World;

/// An Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// The fewest instances it may have.
    pub min: u32,
    /// The most instances it may have.
    pub max: u32,
    /// How many it should have.
    pub desired: u32,
    /// Its instances, oldest first.
    pub instances: Vec<GroupInstanceView>,
    /// The names of the processes that are suspended.
    pub suspended_processes: Vec<String>,
}

/// An instance of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupInstanceView {
    /// Its id.
    pub instance_id: String,
    /// Its zone.
    pub availability_zone: String,
    /// `Pending`, `InService` or `Terminating`; what has ended is in no group.
    pub lifecycle_state: &'static str,
    /// `Healthy` or `Unhealthy`.
    pub health_status: &'static str,
    /// A scale-in does not take it.
    pub protected: bool,
}

impl GroupView {
    /// How many of its instances are in a lifecycle state.
    pub fn count(&self, lifecycle_state: &str) -> usize {
        let instances = self.instances.iter();
        instances
            .filter(|instance| instance.lifecycle_state == lifecycle_state)
            .count()
    }
}

/// All groups, by name.
pub(in crate::sim) fn views(world: &World) -> Vec<GroupView> {
    world.scaling_groups.values().map(view).collect()
}

fn view(group: &ScalingGroup) -> GroupView {
    let mut members: Vec<(&String, &Member)> = group.members.iter().collect();
    members.sort_unstable_by_key(|(_, member)| member.ordinal);
    let instance = |(id, member): (&String, &Member)| GroupInstanceView {
        instance_id: id.clone(),
        availability_zone: member.zone.clone(),
        lifecycle_state: member.lifecycle.name(),
        health_status: member.health(),
        protected: member.protected,
    };
    GroupView {
        name: group.name.clone(),
        min: group.sizes.min,
        max: group.sizes.max,
        desired: group.sizes.desired,
        instances: members.into_iter().map(instance).collect(),
        suspended_processes: group
            .suspended
            .keys()
            .map(|process| process.name().to_owned())
            .collect(),
    }
}
