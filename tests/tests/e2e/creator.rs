//! What callers of ec2-creator-local do, call by call, with free-tier guard rails on: only a bearer token is new.

use haulout_local::stack::GuardRails;
use http::StatusCode;
use serde_json::json;

use super::fixture::{Fixture, text};

/// The AMI that the guard rails allow, of Amazon Linux 2023.
const ALLOWED_AMI: &str = "ami-0a1b2c3d4e5f60001";

/// One stack with the guard rails of `cargo run -- --guard-rails free-tier`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_ec2_creator_local_work() {
    let _alone = haulout_tests::alone::ALONE.lock().await;
    let fixture = Fixture::start_with(|options| {
        options.parameters = GuardRails::FreeTier.parameters();
    })
    .await;
    health_and_docs_are_open(&fixture).await;
    what_is_not_free_tier_is_a_400(&fixture).await;
    a_machine_lives_from_create_to_delete(&fixture).await;
    fixture.stack.shutdown().await.expect("a clean stop");
}

async fn health_and_docs_are_open(fixture: &Fixture) {
    let health = fixture.stranger().get("/health").await;
    assert_eq!(health.json, json!({"status": "ok"}));
    let docs = fixture.stranger().get("/docs").await;
    assert_eq!(docs.status, StatusCode::OK, "{}", docs.text);
    assert!(docs.text.contains("swagger"), "{}", docs.text);
}

async fn what_is_not_free_tier_is_a_400(fixture: &Fixture) {
    for (body, value, allowed) in [
        (
            json!({"name": "big", "ami": ALLOWED_AMI, "instance_type": "t3.large"}),
            "t3.large",
            "t3.micro, t4g.micro",
        ),
        (
            json!({"name": "odd", "ami": "ami-0123456789abcdef0", "instance_type": "t3.micro"}),
            "ami-0123456789abcdef0",
            ALLOWED_AMI,
        ),
    ] {
        let answer = fixture.api.post("/instances", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let detail = answer.json["detail"].as_str().expect("a detail");
        assert!(
            detail.contains(value) && detail.contains(allowed),
            "{detail}"
        );
    }
}

async fn a_machine_lives_from_create_to_delete(fixture: &Fixture) {
    let body = json!({
        "name": "test-instance",
        "ami": ALLOWED_AMI,
        "instance_type": "t3.micro",
        "key_name": "my_ec2_keypair",
    });
    let ready = fixture.ready(&body).await;
    let id = text(&ready, "id");
    // The fields that its users read.
    for field in [
        "id",
        "name",
        "public_ip",
        "ami",
        "instance_type",
        "state",
        "ssh_string",
        "backend_used",
        "created_at",
    ] {
        assert!(ready[field].is_string(), "{field} in {ready}");
    }
    assert_eq!(
        ready["ssh_string"],
        format!(
            "ssh -i my_ec2_keypair.pem ec2-user@{}",
            ready["public_ip"].as_str().unwrap_or_default()
        )
    );
    let listed = fixture.api.get("/instances?source=launch").await;
    assert_eq!(
        (
            listed.json["total"].clone(),
            listed.json["instances"][0]["id"].clone()
        ),
        (json!(1), ready["id"].clone())
    );

    let stopped = fixture.power(id, "stop", "stopped").await;
    assert_eq!(
        (stopped["state"].clone(), stopped["public_ip"].clone()),
        (json!("stopped"), json!(null))
    );

    let again = fixture.power(id, "start", "ready").await;
    assert_eq!(again["state"], "running");
    assert_ne!(
        again["public_ip"], ready["public_ip"],
        "EC2 gives another address"
    );
    assert!(
        again["ssh_string"]
            .as_str()
            .is_some_and(|ssh| ssh.ends_with(again["public_ip"].as_str().unwrap_or("?")))
    );

    fixture.end(id).await;
}
