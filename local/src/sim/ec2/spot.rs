//! One-time spot requests: made by RunInstances, described, cancelled. Their state follows from their instance's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::errors;
use super::filters::Filters;
use super::paging::page;
use super::query::Params;
use super::template_xml::write_tags;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::instance::{Instance, Tags};
use crate::sim::lifecycle::{Interruption, SPOT_TERMINATION, USER_SHUTDOWN};
use crate::sim::state::Call;

/// A spot request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct SpotRequest {
    pub(in crate::sim) id: String,
    pub(in crate::sim) ordinal: u64,
    pub(in crate::sim) instance_id: String,
    pub(super) created: Timestamp,
    pub(super) max_price: Option<String>,
    pub(in crate::sim) tags: Tags,
    pub(super) cancelled: bool,
}

impl SpotRequest {
    /// State, status code and its message, given the request's instance.
    pub(in crate::sim) fn state(
        &self,
        instance: Option<&Instance>,
        now: Timestamp,
    ) -> (&'static str, &'static str, &'static str) {
        let interrupted = instance
            .filter(|i| i.interrupted_at.is_some_and(|at| at <= now))
            .and_then(|i| i.interrupted_because);
        let ending = instance.and_then(|i| i.current(now).filter(|t| t.state.is_ending()));
        let Some(ending) = ending else {
            return match (instance, self.cancelled, interrupted) {
                (None, ..) => TERMINATED_BY_USER,
                (_, true, _) => (
                    "cancelled",
                    "request-canceled-and-instance-running",
                    "Your Spot request is canceled, but your instance is still running.",
                ),
                (_, _, Some(_)) => (
                    "active",
                    "marked-for-termination",
                    "Your Spot Instance is marked for termination.",
                ),
                _ => ("active", "fulfilled", "Your Spot request is fulfilled."),
            };
        };
        let code = ending.reason.as_ref().map_or("", |r| r.code.as_str());
        match (code, interrupted) {
            (USER_SHUTDOWN, _) => TERMINATED_BY_USER,
            (SPOT_TERMINATION, Some(Interruption::Price)) => (
                "closed",
                "instance-terminated-by-price",
                "Your Spot Instance was terminated because the Spot price exceeded your maximum price.",
            ),
            (SPOT_TERMINATION | "Server.InsufficientInstanceCapacity", _) => (
                "closed",
                "instance-terminated-no-capacity",
                "Your Spot Instance was terminated because there is no more Spot capacity available.",
            ),
            _ => (
                "closed",
                "instance-terminated-by-service",
                "Your Spot Instance was terminated by Amazon EC2.",
            ),
        }
    }
}

const TERMINATED_BY_USER: (&str, &str, &str) = (
    "closed",
    "instance-terminated-by-user",
    "Your Spot Instance was terminated because you terminated it.",
);
const FILTERS: [&str; 6] = [
    "instance-id",
    "spot-instance-request-id",
    "state",
    "status-code",
    "type",
    "launched-availability-zone",
];

pub(super) fn describe_spot_instance_requests(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let filters = Filters::read(params, &FILTERS, true)?;
    let wanted = params.list("SpotInstanceRequestId");
    check_known(call, &wanted)?;
    let now = call.now;
    let rows: Vec<(u64, (&SpotRequest, Option<&Instance>))> = call
        .world
        .spot_requests
        .values()
        .map(|request| (request, call.world.instances.get(&request.instance_id)))
        .filter(|(request, instance)| {
            let known = instance.is_some_and(|i| i.described_from <= now && call.is_visible(i));
            known && (wanted.is_empty() || wanted.contains(&request.id))
        })
        .filter(|(request, instance)| {
            filters.pass(&request.tags, |name| values(request, *instance, name, now))
        })
        .map(|(request, instance)| (request.ordinal, (request, instance)))
        .collect();
    let mut rows = rows;
    rows.sort_by_key(|(ordinal, _)| *ordinal);
    let page = page(params, "spot-requests", rows)?;
    let mut xml = Xml::default();
    xml.list(
        "spotInstanceRequestSet",
        page.items,
        |xml, (request, instance)| write(xml, request, instance, now),
    );
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

pub(super) fn cancel_spot_instance_requests(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let wanted = params.list("SpotInstanceRequestId");
    if wanted.is_empty() {
        return Err(errors::missing("SpotInstanceRequestId"));
    }
    check_known(call, &wanted)?;
    let mut xml = Xml::default();
    xml.list("spotInstanceRequestSet", &wanted, |xml, id| {
        if let Some(request) = call.world.spot_requests.get_mut(id) {
            request.cancelled = true;
            call.world.touch();
        }
        xml.value("spotInstanceRequestId", id);
        xml.value("state", "cancelled");
    });
    Ok(xml)
}

fn check_known(call: &Call<'_>, ids: &[String]) -> Result<(), ApiError> {
    let shaped = |id: &str| {
        id.strip_prefix("sir-")
            .is_some_and(|rest| rest.len() == 8 && rest.is_ascii())
    };
    if let Some(bad) = ids.iter().find(|id| !shaped(id)) {
        return Err(errors::malformed(
            "InvalidSpotInstanceRequestID.Malformed",
            bad,
        ));
    }
    let unknown: Vec<String> = ids
        .iter()
        .filter(|id| !call.world.spot_requests.contains_key(*id))
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(errors::not_found(
        "InvalidSpotInstanceRequestID.NotFound",
        "spot instance request",
        &unknown,
    ))
}

fn values(
    request: &SpotRequest,
    instance: Option<&Instance>,
    name: &str,
    now: Timestamp,
) -> Vec<String> {
    let (state, status, _) = request.state(instance, now);
    let value = match name {
        "instance-id" => &request.instance_id,
        "spot-instance-request-id" => &request.id,
        "state" => state,
        "status-code" => status,
        "type" => "one-time",
        _ => return instance.map(|i| i.zone.clone()).into_iter().collect(),
    };
    vec![value.to_owned()]
}

fn write(xml: &mut Xml, request: &SpotRequest, instance: Option<&Instance>, now: Timestamp) {
    let (state, status, message) = request.state(instance, now);
    xml.value("spotInstanceRequestId", &request.id);
    xml.value("instanceId", &request.instance_id);
    xml.value("type", "one-time");
    xml.value("state", state);
    xml.element("status", |xml| {
        xml.value("code", status);
        xml.value("message", message);
        xml.time("updateTime", request.created);
    });
    xml.time("createTime", request.created);
    xml.optional("spotPrice", request.max_price.as_ref());
    xml.optional("launchedAvailabilityZone", instance.map(|i| &i.zone));
    xml.value("productDescription", "Linux/UNIX");
    xml.value("instanceInterruptionBehavior", "terminate");
    write_tags(xml, &request.tags);
}
