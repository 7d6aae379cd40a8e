//! The drain, before a stack is deleted.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::fixture::{Fixture, PATIENCE, text};

pub(super) async fn draining_ends_every_machine_and_makes_no_new_one(fixture: &Fixture) {
    fixture.ready(&json!({"name": "last"})).await;
    let begun = fixture.api.post("/drain", &json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    assert_eq!(begun.json["draining"], true);
    assert!(
        begun.json["machines_left"].as_u64() >= Some(1),
        "{}",
        begun.text
    );
    let refused = fixture.api.post("/instances", &json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(refused.json["code"], "draining");

    // A launch that EC2 refused is left for ten minutes, until it is certain that nothing came of it.
    let failed = fixture.api.get("/instances?status=failed&limit=100").await;
    let failed = failed.json["instances"].as_array().expect("a list").clone();
    let refused = failed.iter().filter(|it| it["instance_id"].is_null());
    let refused = u64::try_from(refused.count()).expect("a count");
    let end = Instant::now() + PATIENCE;
    loop {
        let drain = fixture.api.get("/drain").await;
        assert_eq!(drain.status, StatusCode::OK, "{}", drain.text);
        if drain.json["machines_left"].as_u64() <= Some(refused) {
            break;
        }
        assert!(Instant::now() < end, "still {}", drain.text);
        sleep(Duration::from_millis(200)).await;
    }
    let state = fixture.sim_state().await;
    for machine in state["machines"].as_array().expect("machines") {
        assert_eq!(text(machine, "state"), "terminated", "{machine}");
    }
    for left in ["volumes", "security_groups"] {
        assert_eq!(state[left], json!([]), "{left}");
    }
    let is_open = |it: &&Value| it["state"] == "open" || it["state"] == "active";
    let requests = state["spot_requests"].as_array().expect("spot requests");
    assert_eq!(requests.iter().find(is_open), None);

    let over = fixture.api.send(Method::DELETE, "/drain", &[], "").await;
    assert_eq!(over.status, StatusCode::OK, "{}", over.text);
    assert_eq!(over.json["draining"], false);
    let machine = fixture.ready(&json!({"name": "first again"})).await;
    fixture.end(text(&machine, "id")).await;
}
