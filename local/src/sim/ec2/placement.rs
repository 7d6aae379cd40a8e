//! Where an instance can go: checks what was asked for against images, types, subnets and capacity.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::launch_spec::LaunchSpec;
use super::{errors, tag_rules, types};
use crate::sim::answer::ApiError;
use crate::sim::config::{Capacity, Image, Subnet};
use crate::sim::ids;
use crate::sim::state::Call;

/// EC2's limit on user data before encoding.
const MAX_USER_DATA: usize = 16 * 1_024;
const VOLUME_TYPES: [&str; 7] = ["standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"];
const TAGGABLE: [&str; 4] = [
    "instance",
    "volume",
    "network-interface",
    "spot-instances-request",
];

/// A launch whose parameters are all valid.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    pub(super) image: Image,
    pub(super) instance_type: String,
    pub(super) subnet: Subnet,
    /// How many may be launched.
    pub(super) count: u32,
}

/// Checks `spec` and finds a place for at least `min` and at most `max` instances.
pub(super) fn place(
    call: &Call<'_>,
    spec: &LaunchSpec,
    min: u32,
    max: u32,
) -> Result<Placement, ApiError> {
    let image = image(call, spec)?;
    let instance_type = instance_type(spec, &image)?;
    check_network(call, spec)?;
    check_volumes(spec, &image)?;
    check_details(call, spec)?;
    let subnets = candidates(call, spec)?;
    for subnet in &subnets {
        let room = room(call, &subnet.zone, &instance_type).min(max);
        if room >= min {
            return Ok(Placement {
                image,
                instance_type,
                subnet: (*subnet).clone(),
                count: room,
            });
        }
    }
    let zones: Vec<_> = subnets.iter().map(|s| s.zone.as_str()).collect();
    Err(ApiError {
        code: "InsufficientInstanceCapacity".into(),
        message: format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested \
             ({}). Try another zone or instance type, or try again later.",
            zones.join(", ")
        ),
        // EC2 counts this among its server errors.
        status: 500,
    })
}

fn image(call: &Call<'_>, spec: &LaunchSpec) -> Result<Image, ApiError> {
    let id = spec
        .image_id
        .as_deref()
        .ok_or_else(|| errors::missing("ImageId"))?;
    if !ids::is_resource(id, "ami-") {
        return Err(errors::malformed("InvalidAMIID.Malformed", id));
    }
    let image = call.config.images.iter().find(|image| image.id == id);
    image.cloned().ok_or_else(|| {
        ApiError::client(
            "InvalidAMIID.NotFound",
            format!("The image id '[{id}]' does not exist"),
        )
    })
}

fn instance_type(spec: &LaunchSpec, image: &Image) -> Result<String, ApiError> {
    // EC2's default when neither the request nor a template names a type.
    let name = spec.instance_type.as_deref().unwrap_or("m1.small");
    let architecture = types::architecture(name)
        .ok_or_else(|| errors::invalid(format!("Invalid value '{name}' for InstanceType.")))?;
    if architecture != image.architecture {
        return Err(errors::invalid(format!(
            "The architecture '{architecture}' of the instance type {name} does not match the architecture '{}' of \
             the image {}. Choose a type and an image that match.",
            image.architecture, image.id
        )));
    }
    Ok(name.to_owned())
}

fn check_network(call: &Call<'_>, spec: &LaunchSpec) -> Result<(), ApiError> {
    if spec.interface.is_some() && (spec.subnet_id.is_some() || !spec.security_group_ids.is_empty())
    {
        return Err(errors::combination(
            "Network interfaces and an instance-level subnet or security groups may not be specified on the same request",
        ));
    }
    for group in spec.groups() {
        if !ids::is_resource(group, "sg-") {
            return Err(errors::malformed("InvalidGroupId.Malformed", group));
        }
        if !call.config.security_groups.contains(group) {
            return Err(ApiError::client(
                "InvalidGroup.NotFound",
                format!("The security group '{group}' does not exist"),
            ));
        }
    }
    match &spec.key_name {
        Some(key) if !call.config.key_names.contains(key) => Err(ApiError::client(
            "InvalidKeyPair.NotFound",
            format!("The key pair '{key}' does not exist"),
        )),
        _ => Ok(()),
    }
}

fn check_volumes(spec: &LaunchSpec, image: &Image) -> Result<(), ApiError> {
    for volume in &spec.block_devices {
        if let Some(other) = volume
            .volume_type
            .as_deref()
            .filter(|t| !VOLUME_TYPES.contains(t))
        {
            return Err(errors::invalid_value(other, "volumeType"));
        }
        let refused = match volume.size_gib {
            Some(size) if volume.device == super::launch::ROOT_DEVICE && size < image.root_gib => {
                format!(
                    "Volume of size {size}GB is smaller than the image's snapshot, expect size >= {}GB",
                    image.root_gib
                )
            }
            Some(size @ (0 | 16_385..)) => {
                format!("Volume size {size} is not between 1 and 16384 GiB")
            }
            _ => continue,
        };
        return Err(ApiError::client("InvalidBlockDeviceMapping", refused));
    }
    Ok(())
}

fn check_details(call: &Call<'_>, spec: &LaunchSpec) -> Result<(), ApiError> {
    if let Some(data) = &spec.user_data {
        let data = STANDARD
            .decode(data)
            .map_err(|_| errors::invalid("Invalid BASE64 encoding of user data."))?;
        if data.len() > MAX_USER_DATA {
            return Err(errors::invalid(format!(
                "User data is limited to {MAX_USER_DATA} bytes"
            )));
        }
    }
    for (resource_type, tags) in &spec.tags {
        if !TAGGABLE.contains(&resource_type.as_str()) {
            return Err(errors::invalid(format!(
                "'{resource_type}' is not a valid taggable resource type."
            )));
        }
        tag_rules::check_count(tags)?;
    }
    if spec.tags.contains_key("spot-instances-request") && spec.spot.is_none() {
        return Err(errors::combination(
            "Tags for spot-instances-request need a launch on the spot market.",
        ));
    }
    if let Some(zone) = spec
        .zone
        .as_deref()
        .filter(|zone| !call.config.subnets.iter().any(|s| s.zone == **zone))
    {
        return Err(errors::invalid(format!(
            "Invalid availability zone: [{zone}]"
        )));
    }
    Ok(())
}

/// The subnets that fit the request: the one named, or the zone's default, or each zone's.
fn candidates<'c>(call: &Call<'c>, spec: &LaunchSpec) -> Result<Vec<&'c Subnet>, ApiError> {
    let subnets = &call.config.subnets;
    if let Some(id) = spec.subnet() {
        let subnet = subnets.iter().find(|s| s.id == id).ok_or_else(|| {
            ApiError::client(
                "InvalidSubnetID.NotFound",
                format!("The subnet ID '{id}' does not exist"),
            )
        })?;
        if let Some(zone) = spec.zone.as_deref().filter(|zone| *zone != subnet.zone) {
            return Err(errors::combination(format!(
                "The subnet {id} is in {}, not in {zone}.",
                subnet.zone
            )));
        }
        return Ok(vec![subnet]);
    }
    let mut chosen: Vec<&Subnet> = Vec::new();
    for subnet in subnets {
        let zone_asked_for = spec.zone.as_deref().is_none_or(|zone| zone == subnet.zone);
        if zone_asked_for && !chosen.iter().any(|s| s.zone == subnet.zone) {
            chosen.push(subnet);
        }
    }
    Ok(chosen)
}

/// How many more instances of the type fit into the zone.
fn room(call: &Call<'_>, zone: &str, instance_type: &str) -> u32 {
    let is = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    let left = |row: &Capacity| {
        let there = call.world.instances.values().filter(|i| {
            let its_type = i.spec.instance_type.as_deref().unwrap_or_default();
            !i.state(call.now).is_ending()
                && is(&row.zone, &i.zone)
                && is(&row.instance_type, its_type)
        });
        row.limit
            .saturating_sub(u32::try_from(there.count()).unwrap_or(u32::MAX))
    };
    let rows = call
        .capacity
        .iter()
        .filter(|row| is(&row.zone, zone) && is(&row.instance_type, instance_type));
    rows.map(left).min().unwrap_or(u32::MAX)
}
