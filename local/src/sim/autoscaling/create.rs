//! CreateAutoScalingGroup and DeleteAutoScalingGroup.

use super::errors::{self, needed, parsed, required, validation};
use super::group::{GroupTag, ScalingGroup, Settings, Sizes};
use super::retire::{Cause, retire};
use super::{find, read, settle};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

/// What CreateAutoScalingGroup understands.
pub(super) const PARAMETERS: &[&str] = &[
    "AutoScalingGroupName",
    "LaunchTemplate",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "DefaultCooldown",
    "AvailabilityZones",
    "VPCZoneIdentifier",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "NewInstancesProtectedFromScaleIn",
    "MaxInstanceLifetime",
    "Tags",
];

pub(super) fn create_group(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = required(params, "AutoScalingGroupName")?;
    if call.world.scaling_groups.contains_key(name) {
        return Err(ApiError::client(
            "AlreadyExists",
            format!(
                "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
            ),
        ));
    }
    let min = needed(params, "MinSize")?;
    let max = needed(params, "MaxSize")?;
    // A group without a desired capacity has its minimum.
    let bounds = Sizes {
        min,
        max,
        desired: min,
    };
    let sizes = read::sizes(params, bounds)?;
    let template = read::template(call, params)?.ok_or_else(|| {
        validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
             MixedInstancesPolicy parameter.",
        )
    })?;
    let places = read::places(call, params)?;
    if places.is_empty() {
        return Err(validation(
            "At least one Availability Zone or VPC Subnet is required.",
        ));
    }
    let mut group = ScalingGroup::new(name, template, sizes, places, call.wall);
    group.settings = read::settings(params, &Settings::default())?;
    group.tags = tags(params)?;
    call.world.scaling_groups.insert(name.to_owned(), group);
    settle::reconsider(call, name);
    Ok(Xml::default())
}

fn tags(params: &Params) -> Result<Vec<GroupTag>, ApiError> {
    let tag = |tag: &Params| {
        Ok(GroupTag {
            key: required(tag, "Key")?.to_owned(),
            value: tag.text("Value").unwrap_or_default(),
            propagate: parsed(tag, "PropagateAtLaunch")?.unwrap_or(false),
        })
    };
    let tags = params.structures("Tags.member");
    tags.iter().map(tag).collect()
}

/// A group that is deleted by force first terminates its instances, protected ones too, and is described as being
/// deleted until the last one has ended.
pub(super) fn delete_group(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let force = errors::parsed(params, "ForceDelete")?.unwrap_or(false);
    let group = find::named(call, params)?;
    if !group.members.is_empty() && !force {
        return Err(ApiError::client(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still \
             in the group.",
        ));
    }
    group.deleting = true;
    group.launch_at = None;
    group.sizes = Sizes {
        min: 0,
        max: 0,
        desired: 0,
    };
    let name = group.name.clone();
    settle::with(call, &name, |call, group| {
        for id in group.members.keys().cloned().collect::<Vec<_>>() {
            retire(call, group, &id, Cause::Deletion);
        }
    });
    Ok(Xml::default())
}
