//! Where an instance can go: checks what was asked for against images, types, subnets and capacity.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::capacity::{self, Wish};
use super::launch_spec::LaunchSpec;
use super::{errors, groups, tag_rules, types};
use crate::sim::answer::ApiError;
use crate::sim::config::Subnet;
use crate::sim::ids;
use crate::sim::image::Image;
use crate::sim::limits::{Market, Price};
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
    let (market, max_price) = market(spec)?;
    let subnets = candidates(call, spec)?;
    let wish = Wish {
        instance_type: &instance_type,
        market,
        max_price,
        count: (min, max),
    };
    let (subnet, count) = capacity::choose(call, spec, &wish, &subnets)?;
    if market == Market::Spot {
        capacity::check_spot_limit(call, count)?;
    }
    Ok(Placement {
        subnet: subnet.clone(),
        image,
        instance_type,
        count,
    })
}

/// The market, and the most that is offered there.
fn market(spec: &LaunchSpec) -> Result<(Market, Option<Price>), ApiError> {
    let Some(spot) = &spec.spot else {
        return Ok((Market::OnDemand, None));
    };
    let max_price = spot.max_price.as_deref().map(|text| {
        text.parse()
            .map_err(|_| errors::invalid_value(text, "spotPrice"))
    });
    Ok((Market::Spot, max_price.transpose()?))
}

fn image(call: &Call<'_>, spec: &LaunchSpec) -> Result<Image, ApiError> {
    let id = spec
        .image_id
        .as_deref()
        .ok_or_else(|| errors::missing("ImageId"))?;
    if !ids::is_resource(id, "ami-") {
        return Err(errors::malformed("InvalidAMIID.Malformed", id));
    }
    let image = call.images.iter().find(|image| image.id == id);
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
            "The architecture '{architecture}' of the specified instance type does not match the architecture '{}' of \
             the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You \
             can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or \
             AMI.",
            image.architecture
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
    groups::check_for_launch(call, spec.groups())?;
    check_profile(call, spec)?;
    match &spec.key_name {
        Some(key) if !call.config.key_names.contains(key) => Err(ApiError::client(
            "InvalidKeyPair.NotFound",
            format!("The key pair '{key}' does not exist"),
        )),
        _ => Ok(()),
    }
}

fn check_profile(call: &Call<'_>, spec: &LaunchSpec) -> Result<(), ApiError> {
    let Some(given) = spec.instance_profile.as_deref() else {
        return Ok(());
    };
    let known = |name: &str| {
        let mut profiles = call.config.instance_profiles.iter();
        profiles.any(|profile| match profile.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == profile,
        })
    };
    let (name, what) = match given.strip_prefix("arn:") {
        Some(rest) => (rest.rsplit('/').next().unwrap_or_default(), ("arn", "ARN")),
        None => (given, ("name", "name")),
    };
    if known(name) {
        return Ok(());
    }
    Err(errors::invalid(format!(
        "Value ({given}) for parameter iamInstanceProfile.{} is invalid. Invalid IAM Instance Profile {}",
        what.0, what.1
    )))
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
            Some(size) if volume.device == image.root_device && size < image.root_gib => {
                format!(
                    "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                    image.snapshot_id(),
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
