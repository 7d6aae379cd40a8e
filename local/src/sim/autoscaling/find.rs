//! Finding groups, and the group of an instance.

use super::errors;
use super::group::ScalingGroup;
use crate::sim::answer::ApiError;
use crate::sim::ec2::Params;
use crate::sim::state::{Call, World};

/// The group that a request which changes it names. What is being deleted is not changed any more.
pub(super) fn named<'w>(
    call: &'w mut Call<'_>,
    params: &Params,
) -> Result<&'w mut ScalingGroup, ApiError> {
    let name = errors::required(params, "AutoScalingGroupName")?;
    let group = call.world.scaling_groups.get_mut(name);
    let group = group.ok_or_else(|| errors::no_group(name))?;
    if group.deleting {
        return Err(errors::validation(format!(
            "AutoScalingGroup {name} is pending delete"
        )));
    }
    Ok(group)
}

/// The name of the group that an instance belongs to.
pub(super) fn group_of<'w>(world: &'w World, instance_id: &str) -> Option<&'w str> {
    let mut groups = world.scaling_groups.values();
    groups
        .find(|group| group.members.contains_key(instance_id))
        .map(|group| group.name.as_str())
}
