//! The parameters that CreateAutoScalingGroup and UpdateAutoScalingGroup share.

use super::errors::{parsed, validation};
use super::group::{Place, Settings, Sizes, Template};
use crate::sim::answer::ApiError;
use crate::sim::config::Subnet;
use crate::sim::ec2::{self, Params};
use crate::sim::state::Call;

/// The shortest lifetime that may be set: a day, in seconds.
const SHORTEST_LIFETIME: u32 = 86_400;

/// What UpdateAutoScalingGroup understands.
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
];

/// The launch template, if one is named.
pub(super) fn template(call: &Call<'_>, params: &Params) -> Result<Option<Template>, ApiError> {
    let given = params.below("LaunchTemplate");
    let (id, name) = (
        given.get("LaunchTemplateId"),
        given.get("LaunchTemplateName"),
    );
    if id.is_none() && name.is_none() {
        return Ok(None);
    }
    let (id, name) = ec2::template_identity(call.world, id, name).map_err(|error| {
        validation(format!(
            "You must use a valid fully-formed launch template. {}",
            error.message
        ))
    })?;
    let version = given.text("Version").filter(|version| !version.is_empty());
    Ok(Some(Template { id, name, version }))
}

/// The subnets, or the first one of each zone named; none when neither is given.
pub(super) fn places(call: &Call<'_>, params: &Params) -> Result<Vec<Place>, ApiError> {
    let subnets = &call.config.subnets;
    let place = |subnet: &Subnet| Place {
        subnet_id: subnet.id.clone(),
        zone: subnet.zone.clone(),
    };
    let named = params.get("VPCZoneIdentifier").unwrap_or_default();
    let ids = named.split(',').map(str::trim).filter(|id| !id.is_empty());
    let by_id = ids.map(|id| {
        let found = subnets.iter().find(|subnet| subnet.id == id);
        found
            .map(place)
            .ok_or_else(|| validation(format!("The subnet ID '{id}' does not exist")))
    });
    let by_id: Vec<Place> = by_id.collect::<Result<_, _>>()?;
    if !by_id.is_empty() {
        return Ok(by_id);
    }
    let zones = params.list("AvailabilityZones.member");
    let by_zone = zones.iter().map(|zone| {
        let found = subnets.iter().find(|subnet| subnet.zone == *zone);
        found.map(place).ok_or_else(|| {
            validation(format!(
                "One or more Availability Zones could not be found: {zone}"
            ))
        })
    });
    by_zone.collect()
}

/// The sizes, given those of before. What is not given keeps within what is.
pub(super) fn sizes(params: &Params, before: Sizes) -> Result<Sizes, ApiError> {
    let min = parsed(params, "MinSize")?.unwrap_or(before.min);
    let max = parsed(params, "MaxSize")?.unwrap_or(before.max);
    if min > max {
        return Err(validation(format!(
            "Max bound, {max}, must be greater than or equal to min bound, {min}"
        )));
    }
    let given: Option<u32> = parsed(params, "DesiredCapacity")?;
    let desired = given.unwrap_or_else(|| before.desired.clamp(min, max));
    if !(min..=max).contains(&desired) {
        return Err(validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(Sizes { min, max, desired })
}

/// The other settings, given those of before.
pub(super) fn settings(params: &Params, before: &Settings) -> Result<Settings, ApiError> {
    let lifetime: Option<u32> = parsed(params, "MaxInstanceLifetime")?;
    if let Some(seconds @ 1..SHORTEST_LIFETIME) = lifetime {
        return Err(validation(format!(
            "The maximum instance lifetime {seconds} must be 0 or at least {SHORTEST_LIFETIME} seconds"
        )));
    }
    Ok(Settings {
        protects_new: parsed(params, "NewInstancesProtectedFromScaleIn")?
            .unwrap_or(before.protects_new),
        max_lifetime: lifetime
            .or(before.max_lifetime)
            .filter(|seconds| *seconds > 0),
        health_check_type: params
            .text("HealthCheckType")
            .unwrap_or_else(|| before.health_check_type.clone()),
        health_check_grace: parsed(params, "HealthCheckGracePeriod")?
            .unwrap_or(before.health_check_grace),
        default_cooldown: parsed(params, "DefaultCooldown")?.unwrap_or(before.default_cooldown),
    })
}
