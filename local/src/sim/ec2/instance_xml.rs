//! Instances and reservations as XML.

use jiff::Timestamp;

use super::groups;
use super::template_xml::write_tags;
use super::xml::Xml;
use crate::sim::config::{ACCOUNT_ID, VPC_ID};
use crate::sim::instance::{Instance, State};
use crate::sim::lifecycle::USER_SHUTDOWN;
use crate::sim::state::World;

/// A reservation around its instances; they all belong to the same one.
pub(super) fn write_reservation(
    xml: &mut Xml,
    world: &World,
    instances: &[&Instance],
    now: Timestamp,
) {
    xml.optional(
        "reservationId",
        instances.first().map(|i| &i.reservation_id),
    );
    xml.value("ownerId", ACCOUNT_ID);
    xml.element("groupSet", |_| {});
    xml.list("instancesSet", instances, |xml, instance| {
        write_instance(xml, world, instance, now);
    });
}

/// `instanceState`, `currentState` or `previousState`.
pub(super) fn write_state(xml: &mut Xml, name: &str, state: State) {
    xml.element(name, |xml| {
        xml.value("code", state.code());
        xml.value("name", state.name());
    });
}

fn write_instance(xml: &mut Xml, world: &World, instance: &Instance, now: Timestamp) {
    let state = instance.state(now);
    xml.value("instanceId", &instance.id);
    xml.optional("imageId", instance.spec.image_id.as_ref());
    write_state(xml, "instanceState", state);
    xml.value("amiLaunchIndex", instance.launch_index);
    xml.optional("instanceType", instance.spec.instance_type.as_ref());
    xml.time("launchTime", instance.launch_time);
    xml.optional("keyName", instance.spec.key_name.as_ref());
    xml.optional("clientToken", instance.client_token.as_ref());
    xml.optional("spotInstanceRequestId", instance.spot_request_id.as_ref());
    xml.optional("instanceLifecycle", instance.is_spot().then_some("spot"));
    xml.value("architecture", &instance.architecture);
    xml.value("rootDeviceType", "ebs");
    xml.value("rootDeviceName", &instance.root_device);
    xml.value("virtualizationType", "hvm");
    xml.value("hypervisor", "xen");
    xml.value("ebsOptimized", instance.spec.ebs_optimized.unwrap_or(false));
    xml.value("platformDetails", "Linux/UNIX");
    xml.element("monitoring", |xml| xml.value("state", "disabled"));
    xml.element("placement", |xml| {
        xml.value("availabilityZone", &instance.zone);
        xml.value("tenancy", "default");
    });
    write_reason(xml, instance, now);
    write_network(xml, world, instance, now);
    write_volumes(xml, instance, now);
    if let Some(profile) = &instance.spec.instance_profile {
        let arn = match profile.strip_prefix("arn:") {
            Some(_) => profile.clone(),
            None => format!("arn:aws:iam::{ACCOUNT_ID}:instance-profile/{profile}"),
        };
        xml.element("iamInstanceProfile", |xml| xml.value("arn", arn));
    }
    xml.element("metadataOptions", |xml| {
        xml.value("state", "applied");
        xml.value(
            "httpTokens",
            instance.spec.http_tokens.as_deref().unwrap_or("required"),
        );
        xml.value("httpEndpoint", "enabled");
    });
    write_tags(xml, &instance.tags);
}

fn write_reason(xml: &mut Xml, instance: &Instance, now: Timestamp) {
    let Some(current) = instance.current(now) else {
        return;
    };
    let Some(reason) = &current.reason else {
        return;
    };
    if reason.code == USER_SHUTDOWN {
        xml.value(
            "reason",
            format!("User initiated ({})", current.at.strftime("%F %T GMT")),
        );
    }
    xml.element("stateReason", |xml| {
        xml.value("code", &reason.code);
        xml.value("message", &reason.message);
    });
}

fn write_network(xml: &mut Xml, world: &World, instance: &Instance, now: Timestamp) {
    // A terminated instance has given its addresses and its place in the network back.
    if instance.state(now) == State::Terminated {
        return;
    }
    let (private, public) = (instance.private_ip(), instance.public_ip(now));
    let name = format!("ip-{}.ec2.internal", private.replace('.', "-"));
    let public_name = public
        .as_ref()
        .map(|ip| format!("ec2-{}.compute-1.amazonaws.com", ip.replace('.', "-")));
    xml.value("vpcId", VPC_ID);
    xml.value("subnetId", &instance.subnet_id);
    xml.value("privateIpAddress", &private);
    xml.value("privateDnsName", &name);
    xml.optional("ipAddress", public.as_ref());
    xml.optional("dnsName", public_name.as_ref());
    let groups = groups::of_instance(world, instance);
    let write_groups = |xml: &mut Xml| {
        xml.list("groupSet", &groups, |xml, (id, name)| {
            xml.value("groupId", id);
            xml.value("groupName", name);
        });
    };
    write_groups(xml);
    xml.list("networkInterfaceSet", [()], |xml, ()| {
        xml.value(
            "networkInterfaceId",
            format!("eni-{}", instance.id.trim_start_matches("i-")),
        );
        xml.value("subnetId", &instance.subnet_id);
        xml.value("vpcId", VPC_ID);
        xml.value("ownerId", ACCOUNT_ID);
        xml.value("status", "in-use");
        xml.value("privateIpAddress", &private);
        write_groups(xml);
        if let Some(public) = &public {
            xml.element("association", |xml| {
                xml.value("publicIp", public);
                xml.value("ipOwnerId", "amazon");
            });
        }
    });
}

fn write_volumes(xml: &mut Xml, instance: &Instance, now: Timestamp) {
    let attached = if instance.state(now) == State::Terminated {
        &[][..]
    } else {
        &instance.volumes
    };
    xml.list("blockDeviceMapping", attached, |xml, volume| {
        xml.value("deviceName", &volume.device);
        xml.element("ebs", |xml| {
            xml.value("volumeId", &volume.id);
            xml.value("status", "attached");
            xml.time("attachTime", instance.launch_time);
            xml.value("deleteOnTermination", volume.delete_on_termination);
        });
    });
}
