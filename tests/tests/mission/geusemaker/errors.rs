//! The sixth and the eighth acceptance criterion in full: what goes wrong with spot machines, and what EC2 refuses,
//! each with a code, a message and a hint of its own.

use std::{collections::BTreeSet, time::Duration};

use haulout_domain::{machine::Machine, status::Status};
use haulout_local::sim::{Capacity, Fault, LaunchTemplateSeed, Market};
use haulout_tests::world::{World, usual_request};
use serde_json::{Value, json};

use crate::mission::{KEY, X86_AMI, ended, phases, plain, refused, settled};

/// A launch template that asks for spot at a price nobody sells at.
fn cheap() -> LaunchTemplateSeed {
    let data = [
        ("ImageId", X86_AMI),
        ("InstanceType", "t3.medium"),
        ("InstanceMarketOptions.MarketType", "spot"),
        ("InstanceMarketOptions.SpotOptions.MaxPrice", "0.000001"),
    ];
    LaunchTemplateSeed {
        id: "lt-0a1b2c3d4e5f6cafe".into(),
        name: "cheap".into(),
        data: data
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    }
}

async fn without_spot_capacity() -> Machine {
    let world = World::start(plain()).await;
    world.sim.set_capacity(vec![Capacity {
        zone: "*".to_owned(),
        instance_type: "*".to_owned(),
        market: Some(Market::Spot),
        limit: 0,
    }]);
    ended(&world, &json!({"market": "spot"})).await
}

async fn with_too_low_a_price() -> Machine {
    let mut settings = plain();
    settings.sim.launch_templates.push(cheap());
    let world = World::start(settings).await;
    ended(&world, &json!({"launch_template_id": cheap().id})).await
}

/// Interrupted while it is being brought up.
async fn interrupted() -> Machine {
    let world = World::start(plain()).await;
    let mut body = usual_request();
    body["market"] = json!("spot");
    let id = world.create(&body).await.unwrap();
    let runs = world
        .until(Duration::from_mins(5), async |world| {
            world.machine(&id).await.status == Status::WaitingForSsm
        })
        .await;
    assert!(runs);
    let instance = world.machine(&id).await.instance_id.unwrap();
    world.sim.interrupt(instance.as_str()).await.unwrap();
    settled(&world).await;
    let machine = world.machine(&id).await;
    assert!(
        phases(&machine).contains(&"interrupted"),
        "{:?}",
        phases(&machine)
    );
    assert!(!phases(&machine).contains(&"ready"));
    machine
}

#[tokio::test]
async fn criterion_6_handles_the_spot_request_lifecycle_with_an_error_of_its_own_for_each_end() {
    let mut hints = BTreeSet::new();
    for (machine, code, status, says) in [
        (
            without_spot_capacity().await,
            "spot_capacity_not_available",
            Status::Failed,
            "InsufficientInstanceCapacity",
        ),
        (
            with_too_low_a_price().await,
            "spot_price_too_low",
            Status::Failed,
            "SpotMaxPriceTooLow",
        ),
        (
            interrupted().await,
            "spot_interrupted",
            Status::Terminated,
            "takes the spot instance back",
        ),
    ] {
        assert_eq!(machine.status, status, "{code}");
        let error = machine.error.unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(says), "{error}");
        assert!(error.hint.len() > 40, "{}", error.hint);
        hints.insert(error.hint);
    }
    assert_eq!(hints.len(), 3);
}

/// EC2's code, ours, and a word of the hint.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "InsufficientInstanceCapacity",
        "insufficient_capacity",
        "instance type",
    ),
    ("Unsupported", "insufficient_capacity", "instance type"),
    (
        "InsufficientFreeAddressesInSubnet",
        "network_invalid",
        "addresses",
    ),
    ("VcpuLimitExceeded", "limit_exceeded", "Service Quotas"),
    ("InstanceLimitExceeded", "limit_exceeded", "Service Quotas"),
    (
        "InvalidAMIID.NotFound",
        "ami_invalid",
        "AMI exists in this region",
    ),
    (
        "InvalidAMIID.Unavailable",
        "ami_invalid",
        "AMI exists in this region",
    ),
    ("InvalidSubnetID.NotFound", "network_invalid", "subnet"),
    ("InvalidVpcID.NotFound", "network_invalid", "subnet"),
    ("VPCIdNotSpecified", "network_invalid", "subnet"),
    (
        "InvalidGroup.NotFound",
        "security_group_invalid",
        "security groups",
    ),
    (
        "InvalidSecurityGroupID.NotFound",
        "security_group_invalid",
        "security groups",
    ),
    ("InvalidKeyPair.NotFound", "key_pair_invalid", "key pair"),
    (
        "InvalidIamInstanceProfileArn.Malformed",
        "parameter_invalid",
        "parameter",
    ),
    ("InvalidParameterValue", "parameter_invalid", "parameter"),
    ("UnauthorizedOperation", "permission_denied", "permission"),
    ("AuthFailure", "permission_denied", "permission"),
    (
        "MaxSpotInstanceCountExceeded",
        "limit_exceeded",
        "Service Quotas",
    ),
    ("Brand.New", "aws_error", "request id"),
];

#[tokio::test]
async fn criterion_8_each_of_ec2s_refusals_is_told_with_its_own_text_and_what_to_do() {
    for (theirs, ours, hint) in REFUSALS {
        let world = World::start(plain()).await;
        let fault = Fault::new("ec2", "RunInstances", theirs).times(100);
        world.sim.arm_fault(fault).unwrap();
        let machine = ended(&world, &usual_request()).await;
        assert_eq!(machine.status, Status::Failed, "{theirs}");
        let error = machine.error.unwrap();
        assert_eq!(error.code, *ours, "{theirs}: {error}");
        assert!(error.message.contains(theirs), "{theirs}: {error}");
        assert!(error.hint.contains(hint), "{theirs}: {}", error.hint);
        assert_eq!(world.sim.state().launched, 0, "{theirs}");
    }
}

/// What is asked for and not there is refused by EC2 itself, or by Haulout before anything is written.
#[tokio::test]
async fn criterion_8_what_is_named_and_not_there_is_named_in_the_message() {
    let world = World::start(plain()).await;
    for (field, value, code) in [
        (
            "subnet_id",
            json!("subnet-0ffffffffffffffff"),
            "network_invalid",
        ),
        (
            "security_group_ids",
            json!(["sg-0ffffffffffffffff"]),
            "security_group_invalid",
        ),
        ("key_name", json!("nobodys"), "key_pair_invalid"),
    ] {
        let machine = ended(&world, &json!({field: value})).await;
        let error = machine.error.unwrap();
        assert_eq!(error.code, code, "{error}");
        let named = value.as_str().or(value[0].as_str()).unwrap();
        assert!(error.message.contains(named), "{error}");
    }
    for (field, value, code) in [
        ("ami", "ami-0ffffffffffffffff", "ami_invalid"),
        (
            "launch_template_id",
            "lt-0ffffffffffffffff",
            "launch_template_invalid",
        ),
    ] {
        let body = json!({field: value, "key_name": KEY});
        let (status, problem): (u16, Value) = refused(&world, &body).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (400, Some(code)),
            "{problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(value),
            "{problem}"
        );
    }
}
