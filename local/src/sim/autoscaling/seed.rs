//! Groups that exist from the start.

use jiff::Timestamp;

use super::activity::instant;
use super::errors;
use super::group::{Place, ScalingGroup, Sizes, Template};
use super::process::Process;
use crate::sim::answer::ApiError;
use crate::sim::clock::after;
use crate::sim::config::{AutoScalingGroupSeed, SimConfig};
use crate::sim::ec2;
use crate::sim::state::World;

/// Puts a configured group into a world that has none of its name.
pub(in crate::sim) fn seed(
    world: &mut World,
    seed: &AutoScalingGroupSeed,
    config: &SimConfig,
    now: Timestamp,
    wall: Timestamp,
) -> Result<(), ApiError> {
    if world.scaling_groups.contains_key(&seed.name) {
        return Ok(());
    }
    let sizes = Sizes {
        min: seed.min,
        max: seed.max,
        desired: seed.desired,
    };
    if !(seed.min..=seed.max).contains(&seed.desired) {
        return Err(errors::validation(format!(
            "Desired capacity:{} must be between the specified min size:{} and max size:{}",
            seed.desired, seed.min, seed.max
        )));
    }
    let (id, name) = ec2::template_identity(world, Some(&seed.launch_template_id), None)?;
    let version = None;
    let template = Template { id, name, version };
    let mut group = ScalingGroup::new(&seed.name, template, sizes, places(seed, config)?, wall);
    group.settings.protects_new = seed.new_instances_protected;
    if !seed.suspended_processes.is_empty() {
        let suspended = Process::read(&seed.suspended_processes)?.into_iter();
        let reason = format!("User suspended at {}", instant(wall));
        group.suspended = suspended.map(|process| (process, reason.clone())).collect();
    }
    if sizes.desired > 0 && group.runs(Process::Launch) {
        group.launch_at = Some(after(now, config.asg_launch_delay));
    }
    world.scaling_groups.insert(seed.name.clone(), group);
    world.touch();
    Ok(())
}

/// The subnets named, or all there are.
fn places(seed: &AutoScalingGroupSeed, config: &SimConfig) -> Result<Vec<Place>, ApiError> {
    let known = |id: &String| config.subnets.iter().any(|subnet| subnet.id == *id);
    if let Some(id) = seed.subnets.iter().find(|id| !known(id)) {
        return Err(errors::validation(format!(
            "The subnet ID '{id}' does not exist"
        )));
    }
    let wanted = config
        .subnets
        .iter()
        .filter(|subnet| seed.subnets.is_empty() || seed.subnets.contains(&subnet.id));
    let places = wanted.map(|subnet| Place {
        subnet_id: subnet.id.clone(),
        zone: subnet.zone.clone(),
    });
    Ok(places.collect())
}
