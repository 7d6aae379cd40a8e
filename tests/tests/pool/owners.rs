//! Whose a claim is: who may read it, renew it and end it.

use haulout_tests::{callers::TOKEN, gateway::GatewayEvent};
use serde_json::{Value, json};

use super::support::Projects;

const PATH: &str = "/projects/p/machine";

/// A machine that ann claimed for project p.
async fn claimed_by_ann(idle: u32) -> (Projects, Value) {
    let projects = Projects::with_idle(idle).await;
    let event = GatewayEvent::new("PUT", PATH);
    let answer = projects.send_as("ann", event).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    (projects, answer.json())
}

#[tokio::test]
async fn a_project_is_of_whom_claimed_it_whether_others_are_idle_or_not() {
    for idle in [1, 3] {
        let (projects, view) = claimed_by_ann(idle).await;
        let renewal = GatewayEvent::post(PATH, r#"{"ttl_minutes": 5}"#).method("PUT");
        for event in [
            GatewayEvent::new("PUT", PATH),
            renewal.clone(),
            GatewayEvent::get("/p"),
            GatewayEvent::get(PATH),
            GatewayEvent::new("DELETE", PATH),
        ] {
            let answer = projects.send_as("bob", event).await;
            assert_eq!(answer.problem(403), "not_yours", "{idle} idle");
            let id = view["machine_id"].as_str().unwrap();
            assert!(!answer.text().contains(id), "{}", answer.text());
        }
        let kept = projects.get(PATH).await.json();
        assert_eq!(kept, view, "nobody renewed or ended it");
        for token in ["ann", "operator", TOKEN] {
            for event in [
                GatewayEvent::new("PUT", PATH),
                GatewayEvent::get("/p"),
                GatewayEvent::get(PATH),
            ] {
                let answer = projects.send_as(token, event).await;
                assert_eq!(
                    (answer.status, answer.json()),
                    (200, view.clone()),
                    "{token}"
                );
            }
        }
        // Renewing somebody's claim does not make it one's own.
        let renewed = projects.send_as("operator", renewal).await;
        assert_ne!(renewed.json()["expires_at"], Value::Null);
        let answer = projects.send_as("ann", GatewayEvent::get(PATH)).await;
        assert_eq!(answer.json(), renewed.json());
    }
}

#[tokio::test]
async fn a_reader_reads_claims_and_makes_and_ends_none() {
    let (projects, view) = claimed_by_ann(2).await;
    let answer = projects.send_as("reader", GatewayEvent::get(PATH)).await;
    assert_eq!(answer.json(), view);
    for (method, path) in [
        ("PUT", PATH),
        ("PUT", "/projects/q/machine"),
        ("GET", "/p"),
        ("GET", "/q"),
        ("DELETE", PATH),
        ("POST", "/destroy"),
    ] {
        let event = GatewayEvent::new(method, path);
        let answer = projects.send_as("reader", event).await;
        assert_eq!(answer.problem(403), "forbidden", "{method} {path}");
    }
}

#[tokio::test]
async fn a_project_that_was_given_back_is_anybodys_and_the_earlier_claim_ends_nothing() {
    let (projects, first) = claimed_by_ann(2).await;
    let delete = || GatewayEvent::new("DELETE", PATH);
    assert_eq!(projects.send_as("ann", delete()).await.status, 202);
    let again = projects
        .send_as("bob", GatewayEvent::new("PUT", PATH))
        .await;
    assert_eq!(again.status, 201, "{}", again.text());
    assert_ne!(again.json()["machine_id"], first["machine_id"]);
    assert_eq!(
        projects.send_as("ann", delete()).await.problem(403),
        "not_yours"
    );
    // A release that was decided on the claim before ends that one, not the one of now.
    let held = projects.world.store.project(&"p".parse().unwrap()).await;
    let mut held = held.unwrap().unwrap();
    held.machine_id = first["machine_id"].as_str().unwrap().parse().unwrap();
    let now = projects.world.clock.now();
    let released = projects.world.store.release(&held, now).await.unwrap();
    assert_eq!(released, None);
    let answer = projects.send_as("bob", GatewayEvent::get(PATH)).await;
    assert_eq!(answer.json(), again.json());
}

#[tokio::test]
async fn users_destroy_their_own_and_operators_any() {
    let (projects, view) = claimed_by_ann(1).await;
    let idle = projects.idle(2).await;
    let destroy = |id: &str| GatewayEvent::post("/destroy", json!({"machineId": id}).to_string());
    let own = view["machine_id"].as_str().unwrap();
    for (token, id) in [
        ("bob", own),
        ("bob", idle.id.as_str()),
        ("ann", idle.id.as_str()),
    ] {
        let answer = projects.send_as(token, destroy(id)).await;
        assert_eq!(answer.problem(403), "not_yours", "{token}: {id}");
    }
    // Again, as whoever lost the answer does; but nobody else because it is let go.
    for _ in 0..2 {
        assert_eq!(projects.send_as("ann", destroy(own)).await.status, 202);
    }
    let stranger = projects.send_as("bob", destroy(own)).await;
    assert_eq!(stranger.problem(403), "not_yours");
    let answer = projects
        .send_as("operator", destroy(idle.id.as_str()))
        .await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn status_counts_all_and_shows_ones_own() {
    let (projects, view) = claimed_by_ann(3).await;
    for (token, shown) in [
        ("ann", 1),
        ("bob", 0),
        ("reader", 3),
        ("operator", 3),
        (TOKEN, 3),
    ] {
        let answer = projects.send_as(token, GatewayEvent::get("/status")).await;
        let status = answer.json();
        assert_eq!(
            (&status["totalMachines"], &status["idleMachines"]),
            (&json!(3), &json!(2)),
            "{token}"
        );
        let machines = status["machines"].as_array().unwrap();
        assert_eq!(machines.len(), shown, "{token}");
        if shown == 1 {
            assert_eq!(machines[0]["id"], view["machine_id"]);
        }
    }
}
