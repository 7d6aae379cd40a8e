//! RunInstances: what it makes of its parameters and the template's, and what it refuses.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder as Run;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, IamInstanceProfileSpecification,
    LaunchTemplateSpecification, ResourceType, Tag, TagSpecification,
};
use haulout_local::sim::{Capacity, LAUNCH_TEMPLATE_ID};

use super::{ARM, Lab, X86, code, refusal, seeded};

pub(super) const SUBNET_B: &str = "subnet-0a1b2c3d4e5f6000b";

pub(super) fn one(lab: &Lab) -> Run {
    lab.ec2.run_instances().min_count(1).max_count(1)
}

pub(super) fn tags(resource: ResourceType, pairs: &[(&str, &str)]) -> TagSpecification {
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
                .name("haulout-other")
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
async fn capacity_is_by_zone_and_type() {
    let limit = |zone: &str, limit| Capacity {
        zone: zone.into(),
        instance_type: "t3.medium".into(),
        market: None,
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
        market: None,
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
