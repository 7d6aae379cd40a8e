//! CreateSecurityGroup, AuthorizeSecurityGroupIngress and DeleteSecurityGroup.

use super::super::errors;
use super::super::launch_spec::tag_specifications;
use super::super::query::Params;
use super::super::template_xml::write_tags;
use super::super::xml::Xml;
use super::{
    DEFAULT_NAME, PREFIX, SecurityGroup, check_shape, is_changeable, is_used, not_found, rules,
};
use crate::sim::answer::ApiError;
use crate::sim::clock::after;
use crate::sim::config::{ACCOUNT_ID, REGION, VPC_ID};
use crate::sim::ids;
use crate::sim::state::Call;

/// EC2's limits, unless raised: groups of a region, and inbound rules of a group.
const MAX_GROUPS: usize = 2_500;
const MAX_RULES: usize = 60;
/// EC2's limit on the length of a name or description.
const MAX_TEXT: usize = 255;

pub(in crate::sim::ec2) fn create_security_group(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let name = params.required("GroupName")?;
    let description = params.required("GroupDescription")?;
    check_text(name, "name")?;
    check_text(description, "description")?;
    if name.starts_with(PREFIX) {
        return Err(errors::invalid(format!(
            "Invalid value '{name}' for groupName. Group names may not be in the format sg-*."
        )));
    }
    check_vpc(params)?;
    let mut specifications = tag_specifications(params)?;
    let tags = specifications.remove("security-group").unwrap_or_default();
    if let Some(other) = specifications.keys().next() {
        return Err(errors::invalid(format!(
            "'{other}' is not a valid taggable resource type for this operation."
        )));
    }
    let groups = &call.world.security_groups;
    if groups.values().any(|group| group.name == name) {
        return Err(ApiError::client(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{VPC_ID}'"),
        ));
    }
    if groups.len() >= MAX_GROUPS {
        return Err(ApiError::client(
            "SecurityGroupLimitExceeded",
            "The maximum number of security groups has been reached.",
        ));
    }
    call.world.groups_made += 1;
    let group = SecurityGroup {
        id: ids::resource(PREFIX),
        ordinal: call.world.groups_made,
        name: name.to_owned(),
        description: description.to_owned(),
        tags,
        rules: Vec::new(),
        described_from: after(call.now, call.config.describe_lag),
        changeable_from: after(call.now, call.config.change_lag),
        seeded: false,
    };
    let mut xml = Xml::default();
    xml.value("return", true);
    xml.value("groupId", &group.id);
    write_tags(&mut xml, &group.tags);
    xml.value("securityGroupArn", arn(&group.id));
    call.world.security_groups.insert(group.id.clone(), group);
    call.world.touch();
    Ok(xml)
}

pub(in crate::sim::ec2) fn authorize_security_group_ingress(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let id = named(call, params)?;
    let new = rules::read(params)?;
    let Some(group) = call.world.security_groups.get_mut(&id) else {
        return Err(not_found(format!("'{id}' does not exist")));
    };
    // One that is there already refuses them all: the call is done whole or not at all.
    for (index, rule) in new.iter().enumerate() {
        let earlier = group.rules.iter().chain(new.iter().take(index));
        if earlier.into_iter().any(|there| there.is_same(rule)) {
            let (from, to) = rule.ports;
            return Err(ApiError::client(
                "InvalidPermission.Duplicate",
                format!(
                    "the specified rule \"peer: {}, {}, from port: {from}, to port: {to}, ALLOW\" already exists",
                    rule.cidr,
                    rule.protocol.to_uppercase()
                ),
            ));
        }
    }
    if group.rules.len() + new.len() > MAX_RULES {
        return Err(ApiError::client(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        ));
    }
    let mut xml = Xml::default();
    xml.value("return", true);
    xml.list("securityGroupRuleSet", &new, |xml, rule| {
        rules::write_rule(xml, &id, rule);
    });
    group.rules.extend(new);
    call.world.touch();
    Ok(xml)
}

pub(in crate::sim::ec2) fn delete_security_group(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let id = named(call, params)?;
    let name = call.world.security_groups.get(&id).map(|g| g.name.as_str());
    if name == Some(DEFAULT_NAME) {
        return Err(ApiError::client(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    if is_used(call, &id) {
        return Err(ApiError::client(
            "DependencyViolation",
            format!("resource {id} has a dependent object"),
        ));
    }
    call.world.security_groups.remove(&id);
    call.world.touch();
    let mut xml = Xml::default();
    xml.value("return", true);
    xml.value("groupId", id);
    Ok(xml)
}

/// The group that a call is to change, by id or by name.
fn named(call: &Call<'_>, params: &Params) -> Result<String, ApiError> {
    match (params.get("GroupId"), params.get("GroupName")) {
        (Some(id), None) => {
            check_shape(id)?;
            if is_changeable(call, id) {
                Ok(id.to_owned())
            } else {
                Err(not_found(format!("'{id}' does not exist")))
            }
        }
        (None, Some(name)) => call
            .world
            .security_groups
            .values()
            .find(|group| group.name == name && is_changeable(call, &group.id))
            .map(|group| group.id.clone())
            .ok_or_else(|| not_found(format!("'{name}' does not exist in default VPC '{VPC_ID}'"))),
        (Some(_), Some(_)) => Err(errors::combination(
            "The parameters groupName and groupId cannot be used together",
        )),
        (None, None) => Err(errors::missing("groupName or groupId")),
    }
}

fn check_text(text: &str, what: &str) -> Result<(), ApiError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b". _-:/()#,@[]+=&;{}!$*".contains(&b);
    if text.len() <= MAX_TEXT && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(errors::invalid(format!(
        "Invalid security group {what}. Valid {what}s are strings less than 256 characters from the following set:  \
         a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
    )))
}

fn check_vpc(params: &Params) -> Result<(), ApiError> {
    match params.get("VpcId").filter(|vpc| *vpc != VPC_ID) {
        None => Ok(()),
        Some(other) => Err(ApiError::client(
            "InvalidVpcID.NotFound",
            format!("The vpc ID '{other}' does not exist"),
        )),
    }
}

/// The group's ARN.
pub(super) fn arn(id: &str) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT_ID}:security-group/{id}")
}
