//! DescribeAutoScalingGroups and DescribeAutoScalingInstances.

use std::collections::BTreeSet;

use super::errors;
use super::group::{ScalingGroup, Template};
use super::member::Member;
use super::paging::{self, Limits};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

const GROUPS: Limits = Limits {
    usual: 50,
    most: 100,
};
const INSTANCES: Limits = Limits {
    usual: 50,
    most: 50,
};

/// Unknown names are no error. A group's instances all come with it, however many.
pub(super) fn describe_groups(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let names: BTreeSet<String> = params
        .list("AutoScalingGroupNames.member")
        .into_iter()
        .collect();
    let groups = call.world.scaling_groups.values();
    let wanted = groups.filter(|group| names.is_empty() || names.contains(&group.name));
    paging::write(
        params,
        "AutoScalingGroups",
        GROUPS,
        (1..).zip(wanted),
        write_group,
    )
}

/// Instances of no group are no error: they are left out.
pub(super) fn describe_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let ids = params.list("InstanceIds.member");
    if ids.len() > INSTANCES.most {
        return Err(errors::validation(format!(
            "The number of instance ids that may be passed in is limited to {}",
            INSTANCES.most
        )));
    }
    let groups = call.world.scaling_groups.values();
    let mut members: Vec<(u64, (&ScalingGroup, &String, &Member))> = Vec::new();
    for group in groups {
        let record = |(id, member)| (ordinal(member), (group, id, member));
        if ids.is_empty() {
            members.extend(group.members.iter().map(record));
        } else {
            let named: BTreeSet<&String> = ids.iter().collect();
            let found = named
                .into_iter()
                .filter_map(|id| group.members.get_key_value(id));
            members.extend(found.map(record));
        }
    }
    members.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    paging::write(
        params,
        "AutoScalingInstances",
        INSTANCES,
        members,
        |xml, (group, id, member)| {
            xml.value("AutoScalingGroupName", &group.name);
            // In this answer alone the health is in capitals.
            let health = member.health().to_uppercase();
            write_member(xml, id, member, &health, &template(&group.template));
        },
    )
}

/// The launch template as part of an instance, without its version. It is the same for all of a group.
fn template(template: &Template) -> String {
    let mut xml = Xml::default();
    xml.value("LaunchTemplateId", &template.id);
    xml.value("LaunchTemplateName", &template.name);
    xml.as_str().to_owned()
}

/// All at once and without escaping, because there may be ten thousand: none of it comes from callers.
fn write_member(xml: &mut Xml, id: &str, member: &Member, health: &str, template: &str) {
    let Member {
        instance_type,
        zone,
        template_version,
        protected,
        ..
    } = member;
    let lifecycle = member.lifecycle.name();
    xml.verbatim(&format!(
        "<InstanceId>{id}</InstanceId><InstanceType>{instance_type}</InstanceType>\
         <AvailabilityZone>{zone}</AvailabilityZone><LifecycleState>{lifecycle}</LifecycleState>\
         <HealthStatus>{health}</HealthStatus><LaunchTemplate>{template}<Version>{template_version}</Version>\
         </LaunchTemplate><ProtectedFromScaleIn>{protected}</ProtectedFromScaleIn>"
    ));
}

fn write_group(xml: &mut Xml, group: &ScalingGroup) {
    let ScalingGroup {
        sizes, settings, ..
    } = group;
    xml.value("AutoScalingGroupName", &group.name);
    xml.value("AutoScalingGroupARN", &group.arn);
    xml.element("LaunchTemplate", |xml| {
        let version = group.template.version.as_deref().unwrap_or("$Default");
        xml.verbatim(&template(&group.template));
        xml.value("Version", version);
    });
    xml.value("MinSize", sizes.min);
    xml.value("MaxSize", sizes.max);
    xml.value("DesiredCapacity", sizes.desired);
    xml.value("DefaultCooldown", settings.default_cooldown);
    xml.element("AvailabilityZones", |xml| {
        for zone in group.zones() {
            xml.value("member", zone);
        }
    });
    xml.value("HealthCheckType", &settings.health_check_type);
    xml.value("HealthCheckGracePeriod", settings.health_check_grace);
    write_members(xml, group);
    xml.time("CreatedTime", group.created);
    xml.element("SuspendedProcesses", |xml| {
        for (process, reason) in &group.suspended {
            xml.element("member", |xml| {
                xml.value("ProcessName", process.name());
                xml.value("SuspensionReason", reason);
            });
        }
    });
    let subnets: Vec<&str> = group.places.iter().map(|p| p.subnet_id.as_str()).collect();
    xml.value("VPCZoneIdentifier", subnets.join(","));
    xml.optional("Status", group.deleting.then_some("Delete in progress"));
    write_tags(xml, group);
    xml.element("TerminationPolicies", |xml| xml.value("member", "Default"));
    xml.value("NewInstancesProtectedFromScaleIn", settings.protects_new);
    xml.optional("MaxInstanceLifetime", settings.max_lifetime);
}

fn write_members(xml: &mut Xml, group: &ScalingGroup) {
    let template = template(&group.template);
    xml.element("Instances", |xml| {
        for (id, member) in &group.members {
            xml.element("member", |xml| {
                write_member(xml, id, member, member.health(), &template);
            });
        }
    });
}

fn write_tags(xml: &mut Xml, group: &ScalingGroup) {
    xml.element("Tags", |xml| {
        for tag in &group.tags {
            xml.element("member", |xml| {
                xml.value("ResourceId", &group.name);
                xml.value("ResourceType", "auto-scaling-group");
                xml.value("Key", &tag.key);
                xml.value("Value", &tag.value);
                xml.value("PropagateAtLaunch", tag.propagate);
            });
        }
    });
}

fn ordinal(member: &Member) -> u64 {
    member.ordinal
}
