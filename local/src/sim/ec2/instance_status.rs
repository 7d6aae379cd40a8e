//! DescribeInstanceStatus: the two status checks, which pass some time after an instance runs.

use jiff::Timestamp;

use super::errors;
use super::filters::Filters;
use super::instance_xml::write_state;
use super::paging::page;
use super::query::Params;
use super::selection::check_known;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::instance::{Instance, State, Tags};
use crate::sim::state::Call;

const FILTERS: [&str; 7] = [
    "availability-zone",
    "instance-state-code",
    "instance-state-name",
    "instance-status.status",
    "instance-status.reachability",
    "system-status.status",
    "system-status.reachability",
];

pub(super) fn describe_instance_status(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let ids = params.list("InstanceId");
    let filters = Filters::read(params, &FILTERS, false)?;
    if !ids.is_empty() && params.get("MaxResults").is_some() {
        return Err(errors::combination(
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    check_known(call, &ids, |instance| instance.described_from)?;
    // Without this, EC2 speaks of running instances only.
    let all = params
        .parsed::<bool>("IncludeAllInstances")?
        .unwrap_or(false);
    let now = call.now;
    let wanted = call
        .described()
        .into_iter()
        .filter(|i| ids.is_empty() || ids.contains(&i.id))
        .filter(|i| all || i.state(now) == State::Running)
        .filter(|i| filters.pass(&Tags::new(), |name| values(i, name, now)))
        .map(|i| (i.ordinal, i))
        .collect();
    let page = page(params, "instance-status", wanted)?;
    let mut xml = Xml::default();
    xml.list("instanceStatusSet", page.items, |xml, instance| {
        write(xml, instance, now);
    });
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

/// Status and reachability.
fn checks(instance: &Instance, now: Timestamp) -> (&'static str, Option<&'static str>) {
    match instance.checks_passed(now) {
        Some(true) => ("ok", Some("passed")),
        Some(false) => ("initializing", Some("initializing")),
        None => ("not-applicable", None),
    }
}

fn values(instance: &Instance, filter: &str, now: Timestamp) -> Vec<String> {
    let (status, reachability) = checks(instance, now);
    let value = match filter {
        "availability-zone" => instance.zone.clone(),
        "instance-state-code" => instance.state(now).code().to_string(),
        "instance-state-name" => instance.state(now).name().to_owned(),
        "instance-status.status" | "system-status.status" => status.to_owned(),
        _ => return reachability.map(Into::into).into_iter().collect(),
    };
    vec![value]
}

fn write(xml: &mut Xml, instance: &Instance, now: Timestamp) {
    let (status, reachability) = checks(instance, now);
    xml.value("instanceId", &instance.id);
    xml.value("availabilityZone", &instance.zone);
    write_state(xml, "instanceState", instance.state(now));
    for name in ["systemStatus", "instanceStatus"] {
        xml.element(name, |xml| {
            xml.value("status", status);
            xml.list("details", reachability, |xml, reachability| {
                xml.value("name", "reachability");
                xml.value("status", reachability);
            });
        });
    }
}
