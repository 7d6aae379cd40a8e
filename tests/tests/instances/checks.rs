//! What is checked against EC2 before a record is written, and what is left to provisioning when AWS does not say.

use std::time::Duration;

use haulout_domain::{plan::LaunchDefaults, status::Architecture};
use haulout_local::sim::LaunchTemplateSeed;
use haulout_tests::{
    call::{Refusal, Service},
    settings::{Settings, staged},
};
use serde_json::json;

use super::support::{ARM_AMI, Machines, X86_AMI, with_template};

const NO_AMI: &str = "ami-0ffffffffffffffff";
const NO_TEMPLATE: &str = "lt-0ffffffffffffffff";

#[tokio::test]
async fn an_ami_that_is_not_there_is_refused_with_what_to_do() {
    let machines = Machines::plain().await;
    let (code, detail) = machines.refused(&json!({"ami": NO_AMI}), 400).await;
    assert_eq!(code, "ami_invalid");
    for words in [NO_AMI, "exists in this region"] {
        assert!(detail.contains(words), "{detail}");
    }
}

#[tokio::test]
async fn image_type_and_architecture_must_fit_before_any_launch() {
    let machines = Machines::plain().await;
    for body in [
        json!({"ami": ARM_AMI, "instance_type": "t3.medium"}),
        json!({"ami": X86_AMI, "instance_type": "t4g.medium"}),
        json!({"instance_type": "t4g.medium", "architecture": "x86_64"}),
        json!({"ami": X86_AMI, "architecture": "arm64"}),
    ] {
        let (code, detail) = machines.refused(&body, 400).await;
        assert_eq!(code, "ami_invalid", "{body}");
        assert!(detail.contains("does not fit"), "{body}: {detail}");
    }
    // Beside a template whose type is t3.medium.
    let machines = Machines::start(with_template()).await;
    let (code, detail) = machines.refused(&json!({"ami": ARM_AMI}), 400).await;
    assert_eq!(code, "ami_invalid", "{detail}");
    machines
        .create(&json!({"ami": ARM_AMI, "instance_type": "t4g.small"}))
        .await;
    machines.create(&json!({"architecture": "arm64"})).await;
    assert_eq!(machines.calls("RunInstances"), 0);
}

#[tokio::test]
async fn an_ami_alone_tells_the_architecture() {
    let machines = Machines::plain().await;
    let machine = machines.create(&json!({"ami": ARM_AMI})).await;
    assert_eq!(machine.launch.architecture, Some(Architecture::Arm));
    let machine = machines.create(&json!({"ami": X86_AMI})).await;
    assert_eq!(machine.launch.architecture, Some(Architecture::X86));
}

#[tokio::test]
async fn a_volume_holds_its_image() {
    let machines = Machines::plain().await;
    let (code, detail) = machines
        .refused(&json!({"ami": X86_AMI, "storage_gb": 7}), 400)
        .await;
    assert_eq!(code, "parameter_invalid");
    assert!(detail.contains("at least 8"), "{detail}");
}

#[tokio::test]
async fn a_template_that_is_not_there_is_the_callers_to_mend_only_where_the_caller_named_it() {
    let machines = Machines::plain().await;
    let (code, detail) = machines
        .refused(&json!({"launch_template_id": NO_TEMPLATE}), 400)
        .await;
    assert_eq!(code, "launch_template_invalid");
    assert!(detail.contains(NO_TEMPLATE), "{detail}");
    let machines = Machines::start(LaunchDefaults {
        launch_template_id: NO_TEMPLATE.parse().ok(),
        ..LaunchDefaults::default()
    })
    .await;
    // Provisioning will say so in the record.
    machines.create(&json!({})).await;
}

#[tokio::test]
async fn networks_cannot_be_named_beside_a_template_with_interfaces() {
    let mut settings = Settings::staging(|_| staged(Duration::from_secs(8)));
    let template = LaunchTemplateSeed {
        id: "lt-0a1b2c3d4e5f6abcd".into(),
        name: "with-interfaces".into(),
        data: [
            ("ImageId", X86_AMI),
            ("InstanceType", "t3.medium"),
            ("NetworkInterface.1.DeviceIndex", "0"),
            ("NetworkInterface.1.SubnetId", "subnet-0a1b2c3d4e5f6000a"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec(),
    };
    let id = template.id.clone();
    settings.sim.launch_templates.push(template);
    let machines = Machines::start_with(LaunchDefaults::default(), settings).await;
    for (field, value) in [
        ("subnet_id", json!("subnet-0a1b2c3d4e5f6000b")),
        ("security_group_ids", json!(["sg-0a1b2c3d4e5f60001"])),
        ("create_security_group", json!({"cidr": "10.0.0.0/8"})),
    ] {
        let body = json!({"launch_template_id": id, field: value});
        let (code, detail) = machines.refused(&body, 400).await;
        assert_eq!(code, "parameter_invalid", "{detail}");
        assert!(detail.contains(field), "{detail}");
    }
}

#[tokio::test]
async fn what_aws_does_not_say_now_is_left_to_provisioning() {
    for refusal in [
        Refusal::Throttled,
        Refusal::ServerError,
        Refusal::AccessDenied,
    ] {
        let machines = Machines::start(with_template()).await;
        for action in ["DescribeImages", "DescribeLaunchTemplateVersions"] {
            machines.refuse(Service::Ec2, action, refusal);
        }
        machines.create(&json!({"ami": X86_AMI})).await;
        machines
            .create(
                &json!({"ami": X86_AMI, "launch_template_id": with_template().launch_template_id}),
            )
            .await;
    }
}
