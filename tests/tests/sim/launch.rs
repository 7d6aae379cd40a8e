//! RunInstances: what it makes of its parameters and the template's, and what it refuses.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder as Run;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, IamInstanceProfileSpecification,
    InstanceMarketOptionsRequest, InstanceNetworkInterfaceSpecification,
    LaunchTemplateSpecification, MarketType, Placement, ResourceType, SpotInstanceType,
    SpotMarketOptions, Tag, TagSpecification,
};
use haulout_local::sim::{Capacity, LAUNCH_TEMPLATE_ID};

use super::{ARM, Lab, X86, code, refusal, seeded};

const SUBNET_B: &str = "subnet-0a1b2c3d4e5f6000b";

fn one(lab: &Lab) -> Run {
    lab.ec2.run_instances().min_count(1).max_count(1)
}

fn tags(resource: ResourceType, pairs: &[(&str, &str)]) -> TagSpecification {
    let tags = pairs
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(*value).build())
        .collect();
    TagSpecification::builder()
        .resource_type(resource)
        .set_tags(Some(tags))
        .build()
}

#[tokio::test]
async fn the_template_says_what_the_call_does_not() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    let instance = lab.describe(&id).await;
    assert_eq!(instance.image_id(), Some(X86));
    assert_eq!(instance.instance_type().unwrap().as_str(), "t3.medium");
    assert_eq!(instance.architecture().unwrap().as_str(), "x86_64");
    assert_eq!(instance.client_token(), Some("t"));
    assert_eq!(
        instance.security_groups()[0].group_id(),
        Some("sg-0a1b2c3d4e5f60001")
    );
    let profile = instance.iam_instance_profile().unwrap().arn().unwrap();
    assert!(
        profile.ends_with(":instance-profile/haulout-machine"),
        "{profile}"
    );
    let tag = |key: &str| {
        instance
            .tags()
            .iter()
            .find(|t| t.key() == Some(key))
            .and_then(Tag::value)
    };
    assert_eq!(tag("aws:ec2launchtemplate:id"), Some(LAUNCH_TEMPLATE_ID));
    assert_eq!(tag("aws:ec2launchtemplate:version"), Some("1"));
    assert_eq!(instance.block_device_mappings().len(), 1);
}

#[tokio::test]
async fn what_the_call_says_overrides_the_template() {
    let lab = Lab::new(|_| {}).await;
    let volume = BlockDeviceMapping::builder()
        .device_name("/dev/sdf")
        .ebs(EbsBlockDevice::builder().volume_size(100).build())
        .build();
    let answer = one(&lab)
        .launch_template(
            LaunchTemplateSpecification::builder()
                .launch_template_name("haulout-local")
                .version("$Latest")
                .build(),
        )
        .image_id(ARM)
        .instance_type("t4g.small".into())
        .subnet_id(SUBNET_B)
        .key_name("haulout-local")
        .user_data("ZWNobyBoZWxsbw==")
        .block_device_mappings(volume)
        .iam_instance_profile(
            IamInstanceProfileSpecification::builder()
                .name("other")
                .build(),
        )
        .tag_specifications(tags(
            ResourceType::Instance,
            &[("Name", "a & <b>"), ("haulout:machine", "m-1")],
        ))
        .tag_specifications(tags(ResourceType::Volume, &[("haulout:machine", "m-1")]))
        .send()
        .await
        .unwrap();
    let id = answer.instances()[0].instance_id().unwrap();
    let instance = lab.describe(id).await;
    assert_eq!(instance.architecture().unwrap().as_str(), "arm64");
    assert_eq!(
        instance.placement().unwrap().availability_zone(),
        Some("us-east-1b")
    );
    assert_eq!(instance.subnet_id(), Some(SUBNET_B));
    assert_eq!(instance.key_name(), Some("haulout-local"));
    assert!(
        instance
            .tags()
            .contains(&Tag::builder().key("Name").value("a & <b>").build())
    );
    let devices: Vec<_> = instance
        .block_device_mappings()
        .iter()
        .map(|d| d.device_name().unwrap())
        .collect();
    assert_eq!(devices, ["/dev/xvda", "/dev/sdf"]);
    let state = lab.sim.state();
    let machine = state.tagged("haulout:machine", "m-1")[0];
    assert_eq!(machine.volume_tags["/dev/sdf"]["haulout:machine"], "m-1");
    assert_eq!(machine.volume_tags["/dev/xvda"]["haulout:machine"], "m-1");
}

#[tokio::test]
async fn every_wrong_parameter_has_its_error_and_launches_nothing() {
    let lab = Lab::new(|_| {}).await;
    let check = async |change: fn(Run) -> Run, expected: &str| {
        let refused = code(change(one(&lab).launch_template(seeded())).send().await);
        assert_eq!(refused, expected);
    };
    let template = |id: &str| LaunchTemplateSpecification::builder().launch_template_id(id);
    check(|run| run.image_id("ami-xyz"), "InvalidAMIID.Malformed").await;
    check(
        |run| run.image_id("ami-0123456789abcdef0"),
        "InvalidAMIID.NotFound",
    )
    .await;
    check(
        |run| run.instance_type("t3.huge".into()),
        "InvalidParameterValue",
    )
    .await;
    check(|run| run.image_id(ARM), "InvalidParameterValue").await;
    check(
        |run| run.subnet_id("subnet-0123456789abcdef0"),
        "InvalidSubnetID.NotFound",
    )
    .await;
    check(
        |run| run.security_group_ids("sg-0123456789abcdef0"),
        "InvalidGroup.NotFound",
    )
    .await;
    check(
        |run| run.security_group_ids("default"),
        "InvalidGroupId.Malformed",
    )
    .await;
    check(|run| run.key_name("nobody"), "InvalidKeyPair.NotFound").await;
    check(|run| run.user_data("not base64!"), "InvalidParameterValue").await;
    check(
        |run| run.client_token("x".repeat(65)),
        "InvalidParameterValue",
    )
    .await;
    check(|run| run.min_count(0), "InvalidParameterValue").await;
    check(|run| run.min_count(2), "InvalidParameterCombination").await;
    check(|run| run.max_count(100_000), "InstanceLimitExceeded").await;
    check(|run| run.dry_run(true), "DryRunOperation").await;
    // Something EC2 knows and the simulator does not must not be ignored.
    check(|run| run.private_ip_address("10.0.0.4"), "UnknownParameter").await;
    check(
        |run| run.tag_specifications(tags(ResourceType::Instance, &[("aws:mine", "x")])),
        "InvalidParameterValue",
    )
    .await;
    check(
        |run| run.placement(Placement::builder().availability_zone("us-east-1z").build()),
        "InvalidParameterValue",
    )
    .await;
    check(
        |run| {
            run.subnet_id(SUBNET_B)
                .placement(Placement::builder().availability_zone("us-east-1a").build())
        },
        "InvalidParameterCombination",
    )
    .await;
    check(
        |run| {
            let interface = InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .subnet_id(SUBNET_B);
            run.network_interfaces(interface.build())
        },
        "InvalidParameterCombination",
    )
    .await;
    check(
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
    )
    .await;
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
            LaunchTemplateSpecification::builder().launch_template_name("nothing"),
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
    assert_eq!(
        code(
            lab.ec2
                .run_instances()
                .launch_template(seeded())
                .max_count(1)
                .send()
                .await
        ),
        "MissingParameter"
    );
    assert_eq!(lab.sim.state().launched, 0);
}

#[tokio::test]
async fn capacity_is_by_zone_and_type() {
    let limit = |zone: &str, limit| Capacity {
        zone: zone.into(),
        instance_type: "t3.medium".into(),
        limit,
    };
    let lab =
        Lab::new(|config| config.capacity = vec![limit("us-east-1a", 1), limit("us-east-1b", 0)])
            .await;
    let zone = async |token: &str| {
        let id = lab.launch(token).await;
        lab.describe(&id)
            .await
            .placement()
            .unwrap()
            .availability_zone()
            .unwrap()
            .to_owned()
    };
    assert_eq!(zone("a").await, "us-east-1a");
    assert_eq!(zone("b").await, "us-east-1c");
    let in_b = one(&lab)
        .launch_template(seeded())
        .subnet_id(SUBNET_B)
        .send()
        .await;
    // EC2 counts it among its server errors, so the SDK would try again by itself.
    assert_eq!(refusal(in_b), ("InsufficientInstanceCapacity".into(), 500));
    lab.sim.set_capacity(vec![Capacity {
        zone: "*".into(),
        instance_type: "*".into(),
        limit: 1,
    }]);
    let two = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .min_count(2)
        .max_count(2)
        .send()
        .await;
    assert_eq!(code(two), "InsufficientInstanceCapacity");
    // As many as there is room for.
    lab.sim.set_capacity(vec![limit("us-east-1a", 3)]);
    let some = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .min_count(1)
        .max_count(5)
        .send()
        .await
        .unwrap();
    assert_eq!(some.instances().len(), 2);
}

#[tokio::test]
async fn a_spot_launch_has_a_one_time_request() {
    let lab = Lab::new(|_| {}).await;
    let market = |kind| {
        let options = SpotMarketOptions::builder()
            .spot_instance_type(kind)
            .max_price("0.05")
            .build();
        InstanceMarketOptionsRequest::builder()
            .market_type(MarketType::Spot)
            .spot_options(options)
            .build()
    };
    let answer = one(&lab)
        .launch_template(seeded())
        .instance_market_options(market(SpotInstanceType::OneTime))
        .tag_specifications(tags(
            ResourceType::SpotInstancesRequest,
            &[("haulout:machine", "m-1")],
        ))
        .send()
        .await
        .unwrap();
    let instance = &answer.instances()[0];
    assert_eq!(instance.instance_lifecycle().unwrap().as_str(), "spot");
    let request_id = instance.spot_instance_request_id().unwrap();
    let requests = lab
        .ec2
        .describe_spot_instance_requests()
        .spot_instance_request_ids(request_id)
        .send()
        .await
        .unwrap();
    let request = &requests.spot_instance_requests()[0];
    assert_eq!(request.instance_id(), instance.instance_id());
    assert_eq!(request.state().unwrap().as_str(), "active");
    assert_eq!(request.status().unwrap().code(), Some("fulfilled"));
    assert_eq!(request.tags()[0].value(), Some("m-1"));
    let persistent = one(&lab)
        .launch_template(seeded())
        .instance_market_options(market(SpotInstanceType::Persistent));
    assert_eq!(code(persistent.send().await), "UnsupportedOperation");
}
