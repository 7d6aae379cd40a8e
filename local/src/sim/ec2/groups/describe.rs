//! DescribeSecurityGroups: by id, by name or by filters, paged.

use super::super::filters::Filters;
use super::super::paging::page;
use super::super::query::Params;
use super::super::template_xml::write_tags;
use super::super::xml::Xml;
use super::change::arn;
use super::{SecurityGroup, check_shape, not_found, rules};
use crate::sim::answer::ApiError;
use crate::sim::config::{ACCOUNT_ID, VPC_ID};
use crate::sim::state::Call;

const FILTERS: [&str; 6] = [
    "description",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "owner-id",
    "vpc-id",
];

pub(in crate::sim::ec2) fn describe_security_groups(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let filters = Filters::read(params, &FILTERS, true)?;
    let (ids, names) = (params.list("GroupId"), params.list("GroupName"));
    ids.iter().try_for_each(|id| check_shape(id))?;
    let mut known: Vec<&SecurityGroup> = call
        .world
        .security_groups
        .values()
        .filter(|group| group.described_from <= call.now)
        .collect();
    known.sort_by_key(|group| group.ordinal);
    if let Some(id) = ids.iter().find(|id| !known.iter().any(|g| g.id == **id)) {
        return Err(not_found(format!("'{id}' does not exist")));
    }
    if let Some(name) = names.iter().find(|n| !known.iter().any(|g| g.name == **n)) {
        return Err(not_found(format!(
            "'{name}' does not exist in default VPC '{VPC_ID}'"
        )));
    }
    let wanted = known
        .into_iter()
        .filter(|group| ids.is_empty() || ids.contains(&group.id))
        .filter(|group| names.is_empty() || names.contains(&group.name))
        .filter(|group| filters.pass(&group.tags, |name| values(group, name)))
        .map(|group| (group.ordinal, group))
        .collect();
    let page = page(params, "security-groups", wanted)?;
    let mut xml = Xml::default();
    xml.list("securityGroupInfo", page.items, write);
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

fn values(group: &SecurityGroup, filter: &str) -> Vec<String> {
    let value = match filter {
        "description" => &group.description,
        "group-id" => &group.id,
        "group-name" => &group.name,
        "owner-id" => ACCOUNT_ID,
        "vpc-id" => VPC_ID,
        _ => return group.rules.iter().map(|rule| rule.cidr.clone()).collect(),
    };
    vec![value.to_owned()]
}

fn write(xml: &mut Xml, group: &SecurityGroup) {
    xml.value("ownerId", ACCOUNT_ID);
    xml.value("groupId", &group.id);
    xml.value("groupName", &group.name);
    xml.value("groupDescription", &group.description);
    xml.value("vpcId", VPC_ID);
    xml.value("securityGroupArn", arn(&group.id));
    rules::write_permissions(xml, &group.rules);
    // EC2 gives each group this one from the start.
    xml.list("ipPermissionsEgress", [()], |xml, ()| {
        xml.value("ipProtocol", "-1");
        xml.list("ipRanges", ["0.0.0.0/0"], |xml, cidr| {
            xml.value("cidrIp", cidr);
        });
    });
    write_tags(xml, &group.tags);
}
