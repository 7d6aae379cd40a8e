//! The eight test cases of the story.

use std::time::Duration;

use haulout_domain::{plan::LaunchDefaults, status::Status};
use haulout_local::sim::{Capacity, Fault, Image};
use haulout_tests::{
    call::{Action, Refusal, Service},
    faults::{CallFault, Trouble},
    world::{World, usual_request},
};
use http::Method;
use serde_json::{Value, json};

use crate::mission::{
    ARM_AMI, GROUP, KEY, SUBNET_B, X86_AMI, ZONE_B, ended, instance, plain, ready, settled, view,
    with,
};

#[tokio::test]
async fn case_1_on_demand_instance_launch() {
    let world = World::start(plain()).await;
    let config = json!({
        "instance_type": "t3.large", "ami": X86_AMI, "subnet_id": SUBNET_B, "security_group_ids": [GROUP],
        "key_name": KEY,
    });
    let machine = ready(&world, &config).await;
    let launched = instance(&world, &machine);
    assert_eq!((launched.market, launched.state), ("on-demand", "running"));
    assert_eq!(launched.spot_request_id, None);
    assert_eq!(launched.instance_type.as_deref(), Some("t3.large"));
    assert_eq!(launched.image_id.as_deref(), Some(X86_AMI));
    assert_eq!(launched.subnet_id, SUBNET_B);
    assert_eq!(launched.availability_zone, ZONE_B);
    let facts = machine.instance.unwrap();
    assert_eq!(facts.key_name.as_deref(), Some(KEY));
    assert_eq!(facts.security_group_id.as_deref(), Some(GROUP));
    // The root volume nobody said anything about.
    let volumes = world.sim.state().volumes;
    assert_eq!(volumes.len(), 1);
    assert_eq!((volumes[0].size_gib, &*volumes[0].volume_type), (20, "gp3"));
    assert!(volumes[0].encrypted);
}

#[tokio::test]
async fn case_2_spot_instance_launch() {
    let world = World::start(plain()).await;
    let one_time = Fault {
        error: None,
        delay_ms: Some(0),
        ..Fault::new("ec2", "RunInstances", "").matching("SpotOptions.SpotInstanceType=one-time")
    };
    world.sim.arm_fault(one_time).unwrap();
    let machine = ready(&world, &json!({"market": "spot"})).await;
    assert!(
        world.sim.faults().is_empty(),
        "the request was not one-time"
    );
    let launched = instance(&world, &machine);
    assert_eq!(launched.market, "spot");
    let requests = world.sim.state().spot_requests;
    assert_eq!(requests.len(), 1);
    assert_eq!(
        Some(&requests[0].request_id),
        launched.spot_request_id.as_ref()
    );
    assert_eq!(requests[0].instance_id, launched.instance_id);
    let seen = view(&world, &machine).await;
    assert_eq!(seen["market"], "spot");
    assert_eq!(seen["spot_request_id"], json!(launched.spot_request_id));
}

#[tokio::test]
async fn case_3_ami_selection_returns_latest_al2023() {
    // By the public parameter, and by the images' dates when that cannot be read.
    let newer = Image::amazon_linux(
        "ami-0a1b2c3d4e5f6ffff",
        "x86_64",
        "2023.9.20251201.0",
        false,
    );
    for (parameter_works, expected) in [(true, X86_AMI), (false, newer.id.as_str())] {
        let world = World::start(plain()).await;
        let mut images = Image::seeded();
        images.push(newer.clone());
        world.sim.set_images(images);
        if !parameter_works {
            let action = Action {
                service: Service::Ssm,
                name: "GetParameter".to_owned(),
            };
            let denied = Trouble::Refused(Refusal::AccessDenied);
            world.faults.arm(CallFault::new("", &action, denied));
        }
        let machine = ready(&world, &json!({})).await;
        let launched = instance(&world, &machine);
        assert_eq!(launched.image_id.as_deref(), Some(expected));
        assert_eq!(launched.architecture, "x86_64");
        let machine = ready(&world, &json!({"instance_type": "t4g.small"})).await;
        let launched = instance(&world, &machine);
        assert_eq!(launched.image_id.as_deref(), Some(ARM_AMI));
        assert_eq!(launched.architecture, "arm64");
    }
}

#[tokio::test]
async fn case_4_instance_wait_reaches_running_state() {
    let world = World::start(plain()).await;
    let slow = Fault::new("machine", "boot", "slow").delay(Duration::from_secs(100));
    world.sim.arm_fault(slow).unwrap();
    let id = world.create(&usual_request()).await.unwrap();
    // Whatever the record says beyond waiting_for_instance, EC2 said running before.
    let went_on = world
        .until(Duration::from_mins(10), async |world| {
            let machine = world.machine(&id).await;
            let state = world.sim.state().machines.first().map(|it| it.state);
            if machine.status == Status::WaitingForInstance {
                return false;
            }
            assert_eq!(state, Some("running"), "{:?}", machine.timeline);
            true
        })
        .await;
    assert!(went_on);
    assert!(world.elapsed().as_secs() >= 112, "{:?}", world.elapsed());
    settled(&world).await;
    assert_eq!(world.machine(&id).await.status, Status::Ready);
}

#[tokio::test]
async fn case_5_metadata_retrieval_after_launch() {
    let world = World::start(plain()).await;
    let body = json!({"subnet_id": SUBNET_B, "market": "spot", "key_name": KEY});
    let machine = ready(&world, &body).await;
    let launched = instance(&world, &machine);
    let seen = view(&world, &machine).await;
    for (field, expected) in [
        ("instance_id", json!(launched.instance_id)),
        ("instance_type", json!(launched.instance_type)),
        ("market", json!("spot")),
        ("spot_request_id", json!(launched.spot_request_id)),
        ("public_ip", json!(launched.public_ip)),
        ("private_ip", json!(launched.private_ip)),
        ("state", json!("running")),
        ("launch_time", json!(launched.launch_time)),
        ("ami_id", json!(X86_AMI)),
        ("subnet_id", json!(SUBNET_B)),
        ("availability_zone", json!(ZONE_B)),
    ] {
        assert_ne!(expected, Value::Null, "{field}");
        assert_eq!(seen[field], expected, "{field}");
    }
}

#[tokio::test]
async fn case_6_spot_request_lifecycle_handling() {
    let world = World::start(plain()).await;
    let machine = ready(&world, &json!({"market": "spot"})).await;
    let status_code = async || view(&world, &machine).await["spot_status"]["code"].clone();
    assert_eq!(status_code().await, "fulfilled");
    let path = format!("/instances/{}/stop", machine.id);
    let (status, problem) = world
        .request(Method::POST, &path, None, None)
        .await
        .unwrap();
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("spot_cannot_stop"))
    );

    let id = machine.instance_id.as_ref().unwrap();
    world.sim.interrupt(id.as_str()).await.unwrap();
    let warned = world
        .until(Duration::from_mins(1), async |world| {
            world.machine(&machine.id).await.status == Status::Interrupted
        })
        .await;
    assert!(warned, "{:?}", world.machine(&machine.id).await);
    assert_eq!(status_code().await, "marked-for-termination");
    assert_eq!(
        instance(&world, &machine).state,
        "running",
        "EC2 ends it, not Haulout"
    );
    settled(&world).await;
    let gone = world.machine(&machine.id).await;
    assert_eq!(gone.status, Status::Terminated);
    assert_eq!(gone.error.unwrap().code, "spot_interrupted");
    let request = &world.sim.state().spot_requests[0];
    assert_eq!(
        (request.state, request.status_code),
        ("closed", "instance-terminated-no-capacity")
    );
}

#[tokio::test]
async fn case_7_error_handling_for_capacity_issues() {
    let nothing_in = |zone: &str| Capacity {
        zone: zone.to_owned(),
        instance_type: "t3.medium".to_owned(),
        market: None,
        limit: 0,
    };
    let subnets = ["a", "b"].map(|zone| format!("subnet-0a1b2c3d4e5f6000{zone}"));
    let world = World::start(with(LaunchDefaults {
        subnets: subnets.iter().map(|id| id.parse().unwrap()).collect(),
        ..LaunchDefaults::default()
    }))
    .await;
    // One zone is full: the next one is taken, and the timeline says so.
    world.sim.set_capacity(vec![nothing_in("us-east-1a")]);
    let machine = ready(&world, &json!({})).await;
    assert_eq!(machine.attempt, 2);
    assert_eq!(instance(&world, &machine).subnet_id, subnets[1]);
    let told = |detail: &str| {
        detail.contains("us-east-1a") && detail.contains("InsufficientInstanceCapacity")
    };
    assert!(
        machine.timeline.iter().any(|entry| told(&entry.detail)),
        "{:?}",
        machine.timeline
    );
    // All are full: it fails, and says what was tried and what can be done.
    world.sim.set_capacity(vec![nothing_in("*")]);
    let machine = ended(&world, &json!({})).await;
    assert_eq!(machine.status, Status::Failed);
    let error = machine.error.unwrap();
    assert_eq!(error.code, "insufficient_capacity");
    for word in ["t3.medium", "us-east-1a", "us-east-1b"] {
        assert!(error.message.contains(word), "{error}");
    }
    assert!(error.hint.contains("instance type"), "{}", error.hint);
    assert_eq!(machine.instance_id, None);
}

#[tokio::test]
async fn case_8_tagging_on_instance_and_volumes() {
    let world = World::start(plain()).await;
    let body = json!({"name": "ai stack", "market": "spot", "tags": {"stack": "dev", "tier": "1"}});
    let machine = ready(&world, &body).await;
    let state = world.sim.state();
    let launched = instance(&world, &machine);
    let request = &state.spot_requests[0];
    let expected = [
        ("Name", "ai stack"),
        ("ManagedBy", "haulout"),
        ("haulout:deployment", "haulout"),
        ("haulout:machine", machine.id.as_str()),
        ("haulout:attempt", "1"),
        ("stack", "dev"),
        ("tier", "1"),
    ];
    assert_eq!(state.volumes.len(), 1);
    for (what, tags) in [
        ("instance", &launched.tags),
        ("volume", &state.volumes[0].tags),
        ("spot request", &request.tags),
    ] {
        for (key, value) in expected {
            assert_eq!(
                tags.get(key).map(String::as_str),
                Some(value),
                "{what}: {tags:?}"
            );
        }
        assert_eq!(tags.len(), expected.len(), "{what}: {tags:?}");
    }
}
