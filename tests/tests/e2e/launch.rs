//! Launching, watching and ending machines.

use std::{collections::BTreeSet, fs};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{Fixture, PATIENCE, ended_up, is, phases, text};

pub(super) async fn a_blob_becomes_a_running_model(fixture: &Fixture) {
    let blob = &fixture.stack.demo_blobs.model;
    let answer = fixture
        .api
        .post(
            "/api/instances",
            &json!({"blob_id": blob, "name": "first one"}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let id = text(&answer.json, "id");
    assert_eq!(answer.headers["location"], format!("/instances/{id}"));
    assert_eq!(answer.json["status"], "waiting_for_instance");
    assert_eq!(answer.json["processing_status"], "waiting_for_instance");

    let machine = fixture.api.until(id, PATIENCE, ended_up).await;
    assert_eq!(
        phases(&machine),
        [
            "waiting_for_instance",
            "waiting_for_ssm",
            "fetching_blob",
            "ready"
        ],
        "{machine}"
    );
    assert_eq!(machine["error"], Value::Null);
    assert_eq!(machine["state"], "running");
    assert_eq!(machine["name"], "first one");
    assert!(machine["public_ip"].is_string(), "{machine}");

    // EC2's id names it too, and the script has really run where the machine's files are.
    let instance = text(&machine, "instance_id");
    let same = fixture.api.get(&format!("/api/instances/{instance}")).await;
    assert_eq!(same.json["id"], machine["id"]);
    let model = fixture
        .stack
        .addresses
        .machines_dir
        .join(instance)
        .join("tmp/model");
    assert!(model.join("script.sh").is_file());
    let made = fs::read_dir(&model).expect("the model's folder").count();
    assert!(made > 1, "the script left nothing in {}", model.display());

    let gone = fixture.api.delete(&format!("/instances/{id}")).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.text);
    assert_eq!(gone.json["status"], "terminating");
    let machine = fixture.api.until(id, PATIENCE, is("terminated")).await;
    assert_eq!(machine["state"], "terminated");
    let again = fixture.api.delete(&format!("/instances/{id}")).await;
    assert_eq!(
        again.status,
        StatusCode::ACCEPTED,
        "deleting again changes nothing"
    );
}

pub(super) async fn what_is_not_a_zip_fails_and_leaves_nothing(fixture: &Fixture) {
    let blob = &fixture.stack.demo_blobs.broken;
    let answer = fixture
        .api
        .post("/instances", &json!({"blob_id": blob}))
        .await;
    let id = text(&answer.json, "id");
    let machine = fixture
        .api
        .until(id, PATIENCE, |it| {
            it["status"] == "failed" && it["state"] == "terminated"
        })
        .await;
    let error = &machine["error"];
    assert_eq!(error["code"], "not_a_zip", "{machine}");
    assert_eq!(error["phase"], "fetching_blob");
    assert!(text(error, "hint").len() > 10);
}

pub(super) async fn waiting_sees_it_ready(fixture: &Fixture) {
    let body = json!({"blob_id": fixture.stack.demo_blobs.model}).to_string();
    let headers = [("prefer", "wait=25")];
    let answer = fixture
        .api
        .send(Method::POST, "/instances", &headers, body)
        .await;
    let expected = match text(&answer.json, "status") {
        "ready" => StatusCode::CREATED,
        _ => StatusCode::ACCEPTED,
    };
    assert_eq!(answer.status, expected, "{}", answer.text);
    let id = text(&answer.json, "id");
    fixture.api.until(id, PATIENCE, is("ready")).await;
}

pub(super) async fn a_repeated_request_makes_one_machine(fixture: &Fixture) {
    let body = json!({"blob_id": fixture.stack.demo_blobs.model, "name": "once"});
    let send = |body: Value| async move {
        let headers = [("idempotency-key", "the-same-key")];
        fixture
            .api
            .send(Method::POST, "/instances", &headers, body.to_string())
            .await
    };
    let (first, second) = tokio::join!(send(body.clone()), send(body.clone()));
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    assert_eq!(first.text, second.text, "the same answer");
    let other = send(json!({"blob_id": fixture.stack.demo_blobs.model, "name": "twice"})).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.text);
    assert_eq!(other.json["code"], "idempotency_key_reused");
    let id = text(&first.json, "id");
    fixture.api.until(id, PATIENCE, is("ready")).await;
}

pub(super) async fn deleting_during_provisioning_leaves_nothing(fixture: &Fixture) {
    for status in ["waiting_for_instance", "waiting_for_ssm", "fetching_blob"] {
        let blob = &fixture.stack.demo_blobs.model;
        let answer = fixture
            .api
            .post("/instances", &json!({"blob_id": blob}))
            .await;
        let id = text(&answer.json, "id");
        let reached = |it: &Value| phases(it).contains(&status);
        fixture.api.until(id, PATIENCE, reached).await;
        let gone = fixture.api.delete(&format!("/instances/{id}")).await;
        assert_eq!(gone.status, StatusCode::ACCEPTED, "{}", gone.text);
        let machine = fixture.api.until(id, PATIENCE, is("terminated")).await;
        assert_ne!(machine["state"], "running");
    }
}

pub(super) async fn a_capacity_error_says_what_to_do(fixture: &Fixture) {
    let fault = json!({
        "service": "ec2", "action": "RunInstances", "error": "InsufficientInstanceCapacity",
        "http_status": 500, "times": 20, "match": "c5.24xlarge",
    });
    let armed = fixture.sim().post("/_sim/faults", &fault).await;
    assert!(armed.status.is_success(), "{}", armed.text);
    let body = json!({"instance_type": "c5.24xlarge", "blob_id": fixture.stack.demo_blobs.model});
    let answer = fixture.api.post("/instances", &body).await;
    let id = text(&answer.json, "id");
    let machine = fixture.api.until(id, PATIENCE, is("failed")).await;
    assert_eq!(
        machine["error"]["code"], "insufficient_capacity",
        "{machine}"
    );
    assert_eq!(machine["instance_id"], Value::Null);
}

pub(super) async fn lists_are_paged(fixture: &Fixture) {
    let all = fixture.api.get("/instances?limit=100").await;
    let total = all.json["total"].as_u64().expect("a total");
    assert_eq!(all.json["next_cursor"], Value::Null);
    assert_eq!(
        all.json["instances"].as_array().map(Vec::len),
        usize::try_from(total).ok()
    );
    let mut seen = Vec::new();
    let mut path = "/instances?limit=2".to_owned();
    loop {
        let page = fixture.api.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let machines = page.json["instances"].as_array().expect("a list").clone();
        seen.extend(
            machines
                .iter()
                .map(|machine| text(machine, "id").to_owned()),
        );
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("/instances?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert!(
        seen.is_sorted_by(|newer, older| newer > older),
        "newest first"
    );
    assert_eq!(seen.len() as u64, total);
    let failed = fixture.api.get("/instances?status=failed").await;
    for machine in failed.json["instances"].as_array().expect("a list") {
        assert_eq!(machine["status"], "failed");
    }
}

/// No instance runs that no ready machine explains.
pub(super) async fn what_was_launched_is_accounted_for(fixture: &Fixture) {
    let body = json!({"blob_id": fixture.stack.demo_blobs.model});
    let ready_machine = fixture.ready(&body).await;
    let listed = fixture.api.get("/instances?status=ready&limit=100").await;
    let ready: BTreeSet<String> = listed.json["instances"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|machine| text(machine, "instance_id").to_owned())
        .collect();
    assert!(ready.contains(text(&ready_machine, "instance_id")));
    let state = fixture.sim().get("/_sim/state").await;
    for machine in state.json["machines"].as_array().expect("machines") {
        let id = text(machine, "instance_id");
        let ended = ["terminated", "shutting-down"].contains(&text(machine, "state"));
        // The pool's have their own accounts.
        let is_pools = machine["tags"]["aws:autoscaling:groupName"].is_string();
        assert!(
            ended || is_pools || ready.contains(id),
            "{machine} runs for nobody"
        );
    }
}
