//! DescribeSubnets, over the subnets of the configuration.

use super::errors;
use super::filters::Filters;
use super::paging::{numbered, page};
use super::query::Params;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::config::{ACCOUNT_ID, REGION, Subnet, VPC_ID};
use crate::sim::ids;
use crate::sim::instance::{State, Tags};
use crate::sim::state::Call;

const FILTERS: [&str; 6] = [
    "availability-zone",
    "cidr-block",
    "default-for-az",
    "state",
    "subnet-id",
    "vpc-id",
];

/// Addresses of a /24 that instances can have: EC2 keeps five.
const USABLE: u32 = 251;

/// How many more instances a subnet has addresses for; `None`: it never runs out.
pub(super) fn addresses_left(call: &Call<'_>, subnet: &Subnet) -> Option<u32> {
    let limit = call.limits.addresses.get(&subnet.id)?;
    let there = call
        .world
        .instances
        .values()
        .filter(|i| i.subnet_id == subnet.id && i.state(call.now) != State::Terminated)
        .count();
    Some(limit.saturating_sub(u32::try_from(there).unwrap_or(u32::MAX)))
}

pub(super) fn describe_subnets(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let filters = Filters::read(params, &FILTERS, true)?;
    let wanted = params.list("SubnetId");
    if let Some(bad) = wanted.iter().find(|id| !ids::is_resource(id, "subnet-")) {
        return Err(errors::malformed("InvalidSubnetID.Malformed", bad));
    }
    let subnets = &call.config.subnets;
    let unknown: Vec<String> = wanted
        .iter()
        .filter(|id| !subnets.iter().any(|s| s.id == **id))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(errors::not_found(
            "InvalidSubnetID.NotFound",
            "subnet",
            &unknown,
        ));
    }
    let chosen = subnets.iter().filter(|subnet| {
        (wanted.is_empty() || wanted.contains(&subnet.id))
            && filters.pass(&Tags::new(), |name| vec![value(subnets, subnet, name)])
    });
    let page = page(params, "subnets", numbered(chosen))?;
    let mut xml = Xml::default();
    xml.list("subnetSet", page.items, |xml, subnet| {
        for (element, filter) in [
            ("subnetId", "subnet-id"),
            ("availabilityZone", "availability-zone"),
            ("cidrBlock", "cidr-block"),
            ("defaultForAz", "default-for-az"),
            ("state", "state"),
            ("vpcId", "vpc-id"),
        ] {
            xml.value(element, value(subnets, subnet, filter));
        }
        xml.value("ownerId", ACCOUNT_ID);
        let free = addresses_left(call, subnet).unwrap_or(USABLE);
        xml.value("availableIpAddressCount", free);
        xml.value("mapPublicIpOnLaunch", true);
        xml.value(
            "subnetArn",
            format!("arn:aws:ec2:{REGION}:{ACCOUNT_ID}:subnet/{}", subnet.id),
        );
        xml.element("tagSet", |_| {});
    });
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

fn value(all: &[Subnet], subnet: &Subnet, name: &str) -> String {
    match name {
        "subnet-id" => subnet.id.clone(),
        "availability-zone" => subnet.zone.clone(),
        "cidr-block" => {
            let [a, b, c] = subnet.prefix;
            format!("{a}.{b}.{c}.0/24")
        }
        "default-for-az" => {
            let first = all.iter().find(|s| s.zone == subnet.zone);
            first.is_some_and(|first| first.id == subnet.id).to_string()
        }
        "state" => "available".to_owned(),
        _ => VPC_ID.to_owned(),
    }
}
