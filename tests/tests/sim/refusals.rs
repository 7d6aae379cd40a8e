//! What RunInstances refuses, and with which error.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder as Run;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, InstanceNetworkInterfaceSpecification,
    LaunchTemplateSpecification, Placement, ResourceType,
};
use haulout_local::sim::LAUNCH_TEMPLATE_ID;

use super::launch::{SUBNET_B, one, tags};
use super::{ARM, Lab, code, seeded};

/// A change to a good launch, and the error's code.
type Case<'a> = (fn(Run) -> Run, &'a str);

/// Launches from the template with each change: none may launch anything.
async fn check(cases: &[Case<'_>]) {
    let lab = Lab::new(|_| {}).await;
    for (number, (change, expected)) in cases.iter().enumerate() {
        let refused = code(change(one(&lab).launch_template(seeded())).send().await);
        assert_eq!(refused, *expected, "case {number}");
    }
    assert_eq!(lab.sim.state().launched, 0);
}

fn zone(name: &str) -> Placement {
    Placement::builder().availability_zone(name).build()
}

#[tokio::test]
async fn wrong_parameters() {
    check(&[
        (|run| run.image_id("ami-xyz"), "InvalidAMIID.Malformed"),
        (
            |run| run.image_id("ami-0123456789abcdef0"),
            "InvalidAMIID.NotFound",
        ),
        (
            |run| run.instance_type("t3.huge".into()),
            "InvalidParameterValue",
        ),
        (|run| run.image_id(ARM), "InvalidParameterValue"),
        (|run| run.key_name("nobody"), "InvalidKeyPair.NotFound"),
        (|run| run.user_data("not base64!"), "InvalidParameterValue"),
        (
            |run| run.client_token("x".repeat(65)),
            "InvalidParameterValue",
        ),
        (|run| run.min_count(0), "InvalidParameterValue"),
        (|run| run.min_count(2), "InvalidParameterCombination"),
        (|run| run.max_count(100_000), "InstanceLimitExceeded"),
        (|run| run.dry_run(true), "DryRunOperation"),
        // Something EC2 knows and the simulator does not must not be ignored.
        (|run| run.private_ip_address("10.0.0.4"), "UnknownParameter"),
        (
            |run| run.tag_specifications(tags(ResourceType::Instance, &[("aws:mine", "x")])),
            "InvalidParameterValue",
        ),
        (
            |run| run.tag_specifications(tags(ResourceType::Subnet, &[("mine", "x")])),
            "InvalidParameterValue",
        ),
        (
            |run| {
                let small = EbsBlockDevice::builder().volume_size(4).build();
                run.block_device_mappings(
                    BlockDeviceMapping::builder()
                        .device_name("/dev/xvda")
                        .ebs(small)
                        .build(),
                )
            },
            "InvalidBlockDeviceMapping",
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_places() {
    check(&[
        (
            |run| run.subnet_id("subnet-0123456789abcdef0"),
            "InvalidSubnetID.NotFound",
        ),
        (
            |run| run.security_group_ids("sg-0123456789abcdef0"),
            "InvalidGroup.NotFound",
        ),
        (
            |run| run.security_group_ids("default"),
            "InvalidGroupId.Malformed",
        ),
        (
            |run| run.placement(zone("us-east-1z")),
            "InvalidParameterValue",
        ),
        (
            |run| run.subnet_id(SUBNET_B).placement(zone("us-east-1a")),
            "InvalidParameterCombination",
        ),
        (
            // The template names a security group of the instance itself.
            |run| {
                let interface = InstanceNetworkInterfaceSpecification::builder()
                    .device_index(0)
                    .subnet_id(SUBNET_B);
                run.network_interfaces(interface.build())
            },
            "InvalidParameterCombination",
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_templates() {
    let lab = Lab::new(|_| {}).await;
    let template = |id: &str| LaunchTemplateSpecification::builder().launch_template_id(id);
    let name = |name: &str| LaunchTemplateSpecification::builder().launch_template_name(name);
    for (template, expected) in [
        (
            template("lt-0123456789abcdef0"),
            "InvalidLaunchTemplateId.NotFoundException",
        ),
        (template("lt-nothing"), "InvalidLaunchTemplateId.Malformed"),
        (
            template(LAUNCH_TEMPLATE_ID).version("7"),
            "InvalidLaunchTemplateId.VersionNotFound",
        ),
        (
            template(LAUNCH_TEMPLATE_ID).launch_template_name("haulout-local"),
            "InvalidParameterCombination",
        ),
        (
            name("nothing"),
            "InvalidLaunchTemplateName.NotFoundException",
        ),
    ] {
        assert_eq!(
            code(one(&lab).launch_template(template.build()).send().await),
            expected
        );
    }
    assert_eq!(
        code(one(&lab).instance_type("t3.medium".into()).send().await),
        "MissingParameter"
    );
    let uncounted = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .max_count(1)
        .send()
        .await;
    assert_eq!(code(uncounted), "MissingParameter");
    assert_eq!(lab.sim.state().launched, 0);
}
