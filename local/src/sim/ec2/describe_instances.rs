//! DescribeInstances: by id or by filters, in reservations, paged.

use super::errors;
use super::filters::Filters;
use super::instance_xml::write_reservation;
use super::paging::page;
use super::query::Params;
use super::selection::check_known;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::config::VPC_ID;
use crate::sim::instance::Instance;
use crate::sim::state::Call;

const FILTERS: [&str; 19] = [
    "architecture",
    "availability-zone",
    "client-token",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "ip-address",
    "key-name",
    "launch-time",
    "private-ip-address",
    "reservation-id",
    "spot-instance-request-id",
    "state-reason-code",
    "subnet-id",
    "vpc-id",
];

pub(super) fn describe_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let ids = params.list("InstanceId");
    let filters = Filters::read(params, &FILTERS, true)?;
    if !ids.is_empty() && params.get("MaxResults").is_some() {
        return Err(errors::combination(
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    check_known(call, &ids, |instance| instance.described_from)?;
    let now = call.now;
    let wanted = call
        .described()
        .into_iter()
        .filter(|i| ids.is_empty() || ids.contains(&i.id))
        .filter(|i| filters.pass(&i.tags, |name| values(i, name, now)))
        .map(|i| (i.ordinal, i))
        .collect();
    let page = page(params, "instances", wanted)?;
    let mut xml = Xml::default();
    // Instances of a reservation were launched together, so they stand together.
    let reservations = page
        .items
        .chunk_by(|a, b| a.reservation_id == b.reservation_id);
    xml.list("reservationSet", reservations, |xml, instances| {
        write_reservation(xml, call.world, instances, now);
    });
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

/// The values a filter of this name is compared with.
fn values(instance: &Instance, filter: &str, now: jiff::Timestamp) -> Vec<String> {
    let state = instance.state(now);
    let one = |value: &str| vec![value.to_owned()];
    let some = |value: Option<&String>| value.cloned().into_iter().collect();
    match filter {
        "architecture" => one(&instance.architecture),
        "availability-zone" => one(&instance.zone),
        "client-token" => some(instance.client_token.as_ref()),
        "image-id" => some(instance.spec.image_id.as_ref()),
        "instance-id" => one(&instance.id),
        "instance-lifecycle" => instance
            .is_spot()
            .then(|| "spot".to_owned())
            .into_iter()
            .collect(),
        "instance-state-code" => vec![state.code().to_string()],
        "instance-state-name" => one(state.name()),
        "instance-type" => some(instance.spec.instance_type.as_ref()),
        "instance.group-id" => instance.spec.groups().to_vec(),
        "ip-address" => instance.public_ip(now).into_iter().collect(),
        "key-name" => some(instance.spec.key_name.as_ref()),
        "launch-time" => vec![
            instance
                .launch_time
                .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
                .to_string(),
        ],
        "private-ip-address" => vec![instance.private_ip()],
        "reservation-id" => one(&instance.reservation_id),
        "spot-instance-request-id" => some(instance.spot_request_id.as_ref()),
        "state-reason-code" => {
            let reason = instance.current(now).and_then(|t| t.reason.as_ref());
            reason.map(|r| r.code.clone()).into_iter().collect()
        }
        "subnet-id" => one(&instance.subnet_id),
        "vpc-id" => one(VPC_ID),
        _ => Vec::new(),
    }
}
