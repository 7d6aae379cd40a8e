//! What a request for a machine may say, and what of it is not understood.

use haulout_domain::{
    launch::{AmiId, UserData},
    status::{Architecture, Market, VolumeType},
};
use serde_json::{Value, json};

use super::support::{Machines, X86_AMI, with_template};

#[tokio::test]
async fn every_option_is_written_into_the_record() {
    let machines = Machines::plain().await;
    let machine = machines
        .create(&json!({
            "name": "big one",
            "ami": X86_AMI,
            "instance_type": "t3.large",
            "architecture": "x86_64",
            "market": "spot",
            "fallback_to_on_demand": true,
            "storage_gb": 100,
            "volume_type": "gp2",
            "wait_for_status_checks": true,
            "command_timeout_seconds": 600,
            "subnet_id": "subnet-0a1b2c3d4e5f6000a",
            "security_group_ids": ["sg-0a1b2c3d4e5f60001"],
            "create_security_group": {"cidr": "203.0.113.0/24"},
            "key_name": "haulout-local",
            "user_data": "#!/bin/sh\necho hello\n",
            "tags": {"team": "vision"},
            "ttl_minutes": 90,
            "on_failure": "keep",
        }))
        .await;
    let launch = &machine.launch;
    assert_eq!(launch.launch_template_id, None);
    assert_eq!(launch.ami.as_ref().map(AmiId::as_str), Some(X86_AMI));
    assert_eq!(launch.architecture, Some(Architecture::X86));
    assert_eq!(
        (launch.market, launch.fallback_to_on_demand),
        (Market::Spot, true)
    );
    assert_eq!(
        (launch.storage_gb, launch.volume_type),
        (Some(100), Some(VolumeType::Gp2))
    );
    assert!(machine.wait_for_status_checks);
    assert_eq!(launch.security_group_ids.len(), 1);
    assert_eq!(
        launch.own_group_cidr.map(|it| it.to_string()).as_deref(),
        Some("203.0.113.0/24")
    );
    assert_eq!(
        launch.user_data.as_ref().map(UserData::as_base64),
        Some("IyEvYmluL3NoCmVjaG8gaGVsbG8K")
    );
    assert_eq!(launch.tags.iter().collect::<Vec<_>>(), [("team", "vision")]);
    let life = machine
        .expires_at
        .unwrap()
        .duration_since(machine.created_at);
    assert_eq!(life.as_mins(), 90);
    assert!(machine.counted);
}

#[tokio::test]
async fn a_request_that_says_nothing_takes_the_deployments_template_and_lives_on() {
    let machines = Machines::start(with_template()).await;
    let machine = machines.create(&json!({})).await;
    assert_eq!(
        machine.launch.launch_template_id,
        with_template().launch_template_id
    );
    assert_eq!(machine.expires_at, None);
    assert_eq!(machine.launch.market, Market::OnDemand);
    // Null is as good as nothing.
    let machine = machines
        .create(
            &json!({"tags": null, "security_group_ids": null, "user_data": null, "market": null}),
        )
        .await;
    assert!(machine.launch.tags.is_empty());
}

#[tokio::test]
async fn what_is_not_understood_of_the_machine_is_named_with_what_is_expected() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"package": "a"}), &["package", "name@version"]),
        (json!({"package": "../a@1"}), &["package"]),
        (
            json!({"package": "a@1", "blob_id": "E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU"}),
            &["blob_id", "package"],
        ),
        (
            json!({"package": "a@1", "size_bytes": 5}),
            &["size_bytes", "package"],
        ),
        (
            json!({"architecture": "i386"}),
            &["architecture", "x86_64", "arm64"],
        ),
        (
            json!({"market": "reserved"}),
            &["market", "on-demand", "spot"],
        ),
        (
            json!({"fallback_to_on_demand": true}),
            &["fallback_to_on_demand", "spot"],
        ),
        (
            json!({"fallback_to_on_demand": "yes"}),
            &["fallback_to_on_demand"],
        ),
        (json!({"storage_gb": 0}), &["storage_gb", "1 to 16384"]),
        (json!({"storage_gb": 16_385}), &["storage_gb", "16384"]),
        (json!({"storage_gb": -1}), &["storage_gb"]),
        (
            json!({"storage_gb": 2_000, "volume_type": "standard"}),
            &["storage_gb", "1024"],
        ),
        (json!({"volume_type": "st1"}), &["volume_type", "gp3"]),
        (json!({"volume_type": "io2"}), &["volume_type", "IOPS"]),
        (
            json!({"wait_for_status_checks": 1}),
            &["wait_for_status_checks"],
        ),
    ];
    refuses(cases).await;
}

#[tokio::test]
async fn what_is_not_understood_of_its_surroundings_is_named_with_what_is_expected() {
    let groups: Vec<String> = (0..6).map(|n| format!("sg-0000000{n}")).collect();
    let tags: Value = (0..46).map(|n| (format!("t{n}"), json!(""))).collect();
    let cases: &[(Value, &[&str])] = &[
        (json!({"tags": tags}), &["tags", "45"]),
        (json!({"subnet_id": "subnet-1"}), &["subnet_id", "subnet-"]),
        (
            json!({"security_group_ids": ["default"]}),
            &["security_group_ids", "sg-"],
        ),
        (
            json!({"security_group_ids": groups}),
            &["security_group_ids", "6", "5"],
        ),
        (
            json!({"security_group_ids": &groups[..5], "create_security_group": {"cidr": "10.0.0.0/8"}}),
            &["create_security_group", "6"],
        ),
        (
            json!({"security_group_ids": ["sg-00000001", "sg-00000001"]}),
            &["sg-00000001 twice"],
        ),
        (
            json!({"create_security_group": {}}),
            &["create_security_group.cidr", "0.0.0.0/0"],
        ),
        (
            json!({"create_security_group": {"cidr": "everyone"}}),
            &["cidr", "CIDR block"],
        ),
        (
            json!({"create_security_group": {"cidr": "0.0.0.0/1"}}),
            &["cidr", "0.0.0.0/0"],
        ),
        (
            json!({"create_security_group": {"ports": [22]}}),
            &["ports"],
        ),
        (json!({"key_name": "a key"}), &["key_name"]),
        (
            json!({"user_data": "x".repeat(12_289)}),
            &["user_data", "12288"],
        ),
        (json!({"tags": {"aws:x": "y"}}), &["tags", "aws:"]),
        (
            json!({"tags": {"haulout:machine": "y"}}),
            &["tags", "haulout:"],
        ),
        (json!({"tags": {"a": "x".repeat(257)}}), &["tags", "256"]),
        (json!({"tags": ["a"]}), &["tags"]),
        (json!({"ttl_minutes": 0}), &["ttl_minutes", "1 to 525600"]),
        (json!({"ttl_minutes": 525_601}), &["ttl_minutes", "525600"]),
        (
            json!({"instance_type": "t3.medium", "architecture": "ARM"}),
            &["architecture"],
        ),
    ];
    refuses(cases).await;
}

/// Each body is refused, with these words.
async fn refuses(cases: &[(Value, &[&str])]) {
    let machines = Machines::plain().await;
    for (body, says) in cases {
        let (code, detail) = machines.refused(body, 400).await;
        assert_eq!(code, "invalid_body", "{body}: {detail}");
        for words in *says {
            assert!(detail.contains(words), "{body}: {detail} lacks {words}");
        }
    }
}

#[tokio::test]
async fn the_same_key_with_another_option_is_another_request() {
    let machines = Machines::plain().await;
    let ask = async |body: Value| {
        let event = haulout_tests::gateway::GatewayEvent::post("/instances", body.to_string());
        machines.send(event.header("idempotency-key", "k1")).await
    };
    let first = ask(json!({"ttl_minutes": 5})).await;
    assert_eq!(first.status, 202, "{}", first.text());
    assert_eq!(ask(json!({"ttl_minutes": 5})).await.json(), first.json());
    let other = ask(json!({"ttl_minutes": 6})).await;
    assert_eq!(other.problem(409), "idempotency_key_reused");
    assert_eq!(machines.world.machines().await.len(), 1);
}
