//! How a machine reads.

use haulout_domain::machine::SpotStatus;
use haulout_tests::call::{Refusal, Service};
use serde_json::{Value, json};

use super::support::{Machines, X86_AMI};

#[tokio::test]
async fn a_new_machine_reads_as_it_was_asked_for() {
    let machines = Machines::plain().await;
    let body = json!({"instance_type": "t4g.small", "market": "spot", "ttl_minutes": 30});
    let view = machines.post("/instances", &body).await.json();
    assert_eq!(view["market"], "spot");
    assert_eq!(view["architecture"], "arm64");
    assert_eq!(view["instance_type"], "t4g.small");
    assert!(view["expires_at"].is_string());
    for absent in ["spot_request_id", "spot_status", "ssh_string", "public_ip"] {
        assert_eq!(view[absent], Value::Null, "{absent}");
        assert!(view.as_object().unwrap().contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn a_machine_with_a_key_says_how_to_log_in() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({"key_name": "haulout-local"})).await;
    let view = machines
        .get(&format!("/instances/{}", machine.id))
        .await
        .json();
    let address = view["public_ip"].as_str().unwrap();
    assert_eq!(
        view["ssh_string"],
        format!("ssh -i haulout-local.pem ec2-user@{address}")
    );
    assert_eq!(view["market"], "on-demand");
    assert_eq!(view["ami_id"], X86_AMI);
    let machine = machines.ready(&json!({})).await;
    let view = machines
        .get(&format!("/instances/{}", machine.id))
        .await
        .json();
    assert_eq!(view["ssh_string"], Value::Null);
}

#[tokio::test]
async fn a_spot_request_is_read_as_it_stands_now() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({"market": "spot"})).await;
    let path = format!("/instances/{}", machine.id);
    let view = machines.get(&path).await.json();
    assert_eq!(view["market"], "spot");
    assert!(
        view["spot_request_id"]
            .as_str()
            .unwrap()
            .starts_with("sir-"),
        "{view}"
    );
    assert_eq!(view["spot_status"]["code"], "fulfilled", "{view}");
    assert!(view["spot_status"]["message"].is_string());
    // What EC2 said last counts while it does not answer.
    machines
        .change(&machine, |machine| {
            machine.spot_status = Some(SpotStatus {
                code: "pending-fulfillment".to_owned(),
                message: "seen before".to_owned(),
            });
        })
        .await;
    machines.refuse(
        Service::Ec2,
        "DescribeSpotInstanceRequests",
        Refusal::Throttled,
    );
    let view = machines.get(&path).await.json();
    assert_eq!(view["spot_status"]["message"], "seen before");
    let listed = machines.get("/instances").await.json();
    assert_eq!(
        listed["instances"][0]["spot_status"]["message"],
        "seen before"
    );
}
