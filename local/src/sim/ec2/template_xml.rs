//! Launch templates as XML.

use super::launch_spec::LaunchSpec;
use super::templates::{LaunchTemplate, Version};
use super::xml::Xml;
use crate::sim::config::ACCOUNT_ID;
use crate::sim::instance::Tags;

pub(super) fn created(template: Option<&LaunchTemplate>) -> Xml {
    let mut xml = Xml::default();
    if let Some(template) = template {
        xml.element("launchTemplate", |xml| write(xml, template));
    }
    xml
}

pub(super) fn described(templates: &[&LaunchTemplate], next_token: Option<String>) -> Xml {
    let mut xml = Xml::default();
    xml.list("launchTemplates", templates, |xml, template| {
        write(xml, template);
    });
    xml.optional("nextToken", next_token);
    xml
}

pub(super) fn versions(
    template: &LaunchTemplate,
    versions: &[&Version],
    next_token: Option<String>,
) -> Xml {
    let mut xml = Xml::default();
    xml.list("launchTemplateVersionSet", versions, |xml, version| {
        write_version(xml, template, version);
    });
    xml.optional("nextToken", next_token);
    xml
}

/// What CreateLaunchTemplateVersion answers.
pub(super) fn version_created(template: &LaunchTemplate, version: &Version) -> Xml {
    let mut xml = Xml::default();
    xml.element("launchTemplateVersion", |xml| {
        write_version(xml, template, version);
    });
    xml
}

fn write_version(xml: &mut Xml, template: &LaunchTemplate, version: &Version) {
    xml.value("launchTemplateId", &template.id);
    xml.value("launchTemplateName", &template.name);
    xml.value("versionNumber", version.number);
    xml.optional("versionDescription", version.description.as_ref());
    xml.time("createTime", version.created);
    xml.value("createdBy", creator());
    xml.value("defaultVersion", version.number == template.default_version);
    xml.element("launchTemplateData", |xml| write_data(xml, &version.data));
}

/// `tagSet` of any resource.
pub(super) fn write_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.value("key", key);
        xml.value("value", value);
    });
}

fn write(xml: &mut Xml, template: &LaunchTemplate) {
    xml.value("launchTemplateId", &template.id);
    xml.value("launchTemplateName", &template.name);
    xml.time("createTime", template.created);
    xml.value("createdBy", creator());
    xml.value("defaultVersionNumber", template.default_version);
    xml.value("latestVersionNumber", template.latest_version());
    write_tags(xml, &template.tags);
}

fn write_data(xml: &mut Xml, data: &LaunchSpec) {
    xml.optional("imageId", data.image_id.as_ref());
    xml.optional("instanceType", data.instance_type.as_ref());
    xml.optional("keyName", data.key_name.as_ref());
    xml.optional("userData", data.user_data.as_ref());
    xml.optional("ebsOptimized", data.ebs_optimized);
    xml.optional("disableApiTermination", data.disable_api_termination);
    xml.optional(
        "instanceInitiatedShutdownBehavior",
        data.shutdown_behavior.as_ref(),
    );
    if let Some(profile) = &data.instance_profile {
        let element = if profile.starts_with("arn:") {
            "arn"
        } else {
            "name"
        };
        xml.element("iamInstanceProfile", |xml| xml.value(element, profile));
    }
    if let Some(tokens) = &data.http_tokens {
        xml.element("metadataOptions", |xml| xml.value("httpTokens", tokens));
    }
    if let Some(zone) = &data.zone {
        xml.element("placement", |xml| xml.value("availabilityZone", zone));
    }
    if let Some(spot) = &data.spot {
        xml.element("instanceMarketOptions", |xml| {
            xml.value("marketType", "spot");
            xml.element("spotOptions", |xml| {
                xml.optional("maxPrice", spot.max_price.as_ref());
            });
        });
    }
    xml.list("securityGroupIdSet", &data.security_group_ids, Xml::text);
    xml.list("networkInterfaceSet", &data.interface, |xml, interface| {
        xml.value("deviceIndex", 0);
        xml.optional("subnetId", interface.subnet_id.as_ref());
        xml.optional("associatePublicIpAddress", interface.associate_public_ip);
        xml.element("groupSet", |xml| {
            for group in &interface.security_group_ids {
                xml.value("groupId", group);
            }
        });
    });
    xml.list(
        "blockDeviceMappingSet",
        &data.block_devices,
        |xml, device| {
            xml.value("deviceName", &device.device);
            xml.element("ebs", |xml| {
                xml.optional("volumeSize", device.size_gib);
                xml.optional("volumeType", device.volume_type.as_ref());
                xml.optional("deleteOnTermination", device.delete_on_termination);
                xml.optional("encrypted", device.encrypted);
            });
        },
    );
    xml.list(
        "tagSpecificationSet",
        &data.tags,
        |xml, (resource_type, tags)| {
            xml.value("resourceType", resource_type);
            write_tags(xml, tags);
        },
    );
}

fn creator() -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:root")
}
