//! RunInstances: from a request to a reservation, once per client token. Auto Scaling launches the same way.

use super::instance_xml::write_reservation;
use super::launch::{self, Launch};
use super::launch_spec::LaunchSpec;
use super::placement::place;
use super::query::Params;
use super::xml::Xml;
use super::{errors, idempotency, templates};
use crate::sim::answer::ApiError;
use crate::sim::instance::{Instance, Tags};
use crate::sim::state::Call;

const ACTION: &str = "RunInstances";
/// More at once would be a slip of the pen.
const MAX_COUNT: u32 = 1_000;

/// What RunInstances understands: its own parameters, and those that [`LaunchSpec`] reads.
pub(super) const PARAMETERS: &[&str] = &[
    "MinCount",
    "MaxCount",
    "ClientToken",
    "LaunchTemplate",
    "ImageId",
    "InstanceType",
    "KeyName",
    "SecurityGroupId",
    "SubnetId",
    "UserData",
    "TagSpecification",
    "BlockDeviceMapping",
    "IamInstanceProfile",
    "InstanceMarketOptions",
    "Placement",
    "NetworkInterface",
    "MetadataOptions",
    "InstanceInitiatedShutdownBehavior",
    "EbsOptimized",
    "DisableApiTermination",
];

pub(super) fn run_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (min, max) = counts(params)?;
    let token = idempotency::client_token(params)?;
    if let Some(token) = token
        && let Some(launched) = idempotency::recall(call.world, ACTION, token, params)?
    {
        return Ok(reservation(call, &launched));
    }
    let own = LaunchSpec::read(params)?;
    let (spec, template_tags) = match templates::resolve(call.world, params)? {
        Some((template, tags)) => (own.over(template), tags),
        None => (own, Tags::new()),
    };
    let placement = place(call, &spec, min, max)?;
    let launch = Launch {
        spec,
        placement,
        template_tags,
        client_token: token,
        params,
    };
    let launched = launch::launch(call, &launch);
    if let Some(token) = token {
        idempotency::remember(call.world, ACTION, token, params, launched.clone());
    }
    Ok(reservation(call, &launched))
}

/// Launches for an Auto Scaling group: up to `count`, as many as there is room for. `params` names the template and the
/// subnet, as a RunInstances request does; `tags` come over those of the template.
pub(in crate::sim) fn launch_for_group(
    call: &mut Call<'_>,
    params: &Params,
    tags: &Tags,
    count: u32,
) -> Result<Vec<String>, ApiError> {
    let (template, mut template_tags) =
        templates::resolve(call.world, params)?.ok_or_else(|| errors::missing("LaunchTemplate"))?;
    let subnet = params.text("SubnetId");
    let mut spec = LaunchSpec::default().over(template);
    // The group's subnets hold, whatever the template says of the place.
    spec.zone = None;
    match &mut spec.interface {
        Some(interface) => interface.subnet_id = subnet,
        None => spec.subnet_id = subnet,
    }
    let placement = place(call, &spec, 1, count)?;
    template_tags.extend(tags.clone());
    let launch = Launch {
        spec,
        placement,
        template_tags,
        client_token: None,
        params,
    };
    Ok(launch::launch(call, &launch))
}

fn counts(params: &Params) -> Result<(u32, u32), ApiError> {
    let count = |name| {
        params
            .parsed::<u32>(name)?
            .ok_or_else(|| errors::missing(name))
    };
    let (min, max) = (count("MinCount")?, count("MaxCount")?);
    if min == 0 {
        return Err(errors::invalid_value("0", "minCount"));
    }
    if max < min {
        return Err(errors::combination(format!(
            "MaxCount {max} is less than MinCount {min}."
        )));
    }
    if max > MAX_COUNT {
        return Err(ApiError::client(
            "InstanceLimitExceeded",
            format!(
                "You have requested more instances ({max}) than your current limit of {MAX_COUNT} allows."
            ),
        ));
    }
    Ok((min, max))
}

fn reservation(call: &Call<'_>, ids: &[String]) -> Xml {
    let instances: Vec<&Instance> = ids
        .iter()
        .filter_map(|id| call.world.instances.get(id))
        .collect();
    let mut xml = Xml::default();
    write_reservation(&mut xml, call.world, &instances, call.now);
    xml
}
