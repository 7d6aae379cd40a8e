//! DescribeInstanceInformation: the machines whose agent has registered, and whether it still answers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::describe::epoch;
use super::input::{optional, page};
use crate::sim::answer::ApiError;
use crate::sim::instance::{Instance, Ping};
use crate::sim::state::Call;

/// Systems Manager's least page of this list.
const MIN_PAGE: usize = 5;

/// A filter, in the current or the older spelling.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(rename = "Key", alias = "key")]
    key: String,
    #[serde(rename = "Values", alias = "valueSet")]
    values: Vec<String>,
}

pub(super) fn describe_instance_information(
    call: &mut Call<'_>,
    body: &Value,
) -> Result<Value, ApiError> {
    let mut filters: Vec<Filter> = optional(body, "Filters")?.unwrap_or_default();
    filters.extend(
        optional::<Vec<Filter>>(body, "InstanceInformationFilterList")?.unwrap_or_default(),
    );
    for filter in &filters {
        check(filter)?;
    }
    let mut agents: Vec<(&Instance, Ping)> = call
        .world
        .instances
        .values()
        .filter_map(|instance| Some((instance, instance.ping(call.now)?)))
        .filter(|(instance, ping)| filters.iter().all(|filter| passes(filter, instance, *ping)))
        .collect();
    agents.sort_by_key(|(instance, _)| instance.ordinal);
    let rows: Vec<Value> = agents
        .into_iter()
        .map(|(instance, ping)| row(call, instance, ping))
        .collect();
    let (page, next_token) = page(body, rows, MIN_PAGE)?;
    let mut answer = json!({ "InstanceInformationList": page });
    if let Some(token) = next_token {
        answer["NextToken"] = json!(token);
    }
    Ok(answer)
}

fn check(filter: &Filter) -> Result<(), ApiError> {
    let known = [
        "InstanceIds",
        "PingStatus",
        "PlatformTypes",
        "ResourceType",
        "tag-key",
    ];
    if !known.contains(&filter.key.as_str()) && !filter.key.starts_with("tag:") {
        return Err(ApiError::client(
            "InvalidFilterKey",
            format!("The filter key {} isn't valid.", filter.key),
        ));
    }
    if filter.values.is_empty() {
        return Err(ApiError::client(
            "InvalidInstanceInformationFilterValue",
            "A filter needs at least one value.",
        ));
    }
    Ok(())
}

fn passes(filter: &Filter, instance: &Instance, ping: Ping) -> bool {
    let has = |value: &str| filter.values.iter().any(|wanted| wanted == value);
    match filter.key.as_str() {
        "InstanceIds" => has(&instance.id),
        "PingStatus" => has(name(ping)),
        "PlatformTypes" => has("Linux"),
        "ResourceType" => has("EC2Instance") || has("ManagedInstance"),
        "tag-key" => instance.tags.keys().any(|key| has(key)),
        other => {
            let tag = other
                .strip_prefix("tag:")
                .and_then(|key| instance.tags.get(key));
            tag.is_some_and(|value| has(value))
        }
    }
}

fn name(ping: Ping) -> &'static str {
    match ping {
        Ping::Online => "Online",
        Ping::ConnectionLost => "ConnectionLost",
    }
}

fn row(call: &Call<'_>, instance: &Instance, ping: Ping) -> Value {
    let ip = instance.private_ip();
    json!({
        "InstanceId": instance.id,
        "PingStatus": name(ping),
        "LastPingDateTime": epoch(call.wall),
        "AgentVersion": "3.3.3050.0",
        "IsLatestVersion": true,
        "PlatformType": "Linux",
        "PlatformName": "Amazon Linux",
        "PlatformVersion": "2023",
        "ResourceType": "EC2Instance",
        "IPAddress": ip,
        "ComputerName": format!("ip-{}.ec2.internal", ip.replace('.', "-")),
    })
}
