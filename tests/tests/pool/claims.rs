//! Claims: made, read, repeated, renewed, given back, refused.

use std::time::Duration;

use haulout_domain::status::Status;
use haulout_tests::{gateway::GatewayEvent, settings::Settings};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::support::Projects;

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_project_gets_an_idle_machine_and_keeps_it() {
    let projects = Projects::with_idle(3).await;
    let first = projects.claim("my-project").await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.header("location"), "/projects/my-project/machine");
    let view = first.json();
    let mut fields: Vec<_> = view.as_object().unwrap().keys().cloned().collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "claimed_at",
            "expires_at",
            "instance_id",
            "ip",
            "machine_id",
            "projectId",
            "project_id"
        ]
    );
    let machine = projects.machine(&view).await;
    assert_eq!(machine.status, Status::Claimed);
    let facts = machine.instance.as_ref().unwrap();
    assert_eq!(view["instance_id"], facts.id.as_str());
    assert_eq!(view["ip"], json!(facts.public_ip));
    assert_eq!(
        (&view["project_id"], &view["projectId"]),
        (&json!("my-project"), &json!("my-project"))
    );
    assert_eq!(instant(&view["claimed_at"]), projects.world.clock.now());
    assert_eq!(view["expires_at"], Value::Null);
    assert_eq!(machine.claim().unwrap().owner, "admin");

    projects.world.jump(Duration::from_mins(3));
    let again = projects.claim("my-project").await;
    assert_eq!((again.status, again.json()), (200, view.clone()));
    let read = projects.get("/projects/my-project/machine").await;
    assert_eq!((read.status, read.json()), (200, view.clone()));
    let old = projects.get("/my-project").await;
    assert_eq!((old.status, old.json()), (200, view));
    assert_eq!(
        (projects.counted("claimed"), projects.counted("existing")),
        (1, 2)
    );
}

#[tokio::test]
async fn older_callers_claim_with_a_get() {
    let projects = Projects::with_idle(1).await;
    let answer = projects.get("/old.project_1").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let view = answer.json();
    assert_eq!(view["projectId"], "old.project_1");
    assert_eq!(projects.claimed("old.project_1").await, view);
}

#[tokio::test]
async fn two_projects_have_two_machines() {
    let projects = Projects::with_idle(2).await;
    let one = projects.claimed("one").await;
    let two = projects.claimed("two").await;
    assert_ne!(one["machine_id"], two["machine_id"]);
    assert_ne!(one["ip"], two["ip"]);
}

#[tokio::test]
async fn one_query_serves_several_claims() {
    let projects = Projects::with_idle(12).await;
    for number in 0..12 {
        projects.claimed(&format!("project-{number}")).await;
    }
    assert_eq!(projects.counted("claimed"), 12);
    // Without what is remembered it would be at least one for each claim.
    assert!(projects.calls("Query") < 12, "{}", projects.calls("Query"));
    assert_eq!(projects.calls("TransactWriteItems"), 12);
}

#[tokio::test]
async fn a_first_claim_is_one_call_beside_the_search() {
    let projects = Projects::with_idle(12).await;
    for number in 0..12 {
        projects.claimed(&format!("project-{number}")).await;
    }
    assert_eq!(projects.calls("TransactWriteItems"), 12);
    assert_eq!(projects.calls("GetItem"), 0);
}

#[tokio::test]
async fn who_has_a_machine_uses_up_no_candidate() {
    let projects = Projects::with_idle(2).await;
    let view = projects.claimed("p").await;
    assert_eq!(projects.claimed("p").await, view);
    let searched = projects.calls("Query");
    for _ in 0..3 {
        assert_eq!(projects.claimed("p").await, view);
    }
    assert_eq!(projects.claim("another").await.status, 201);
    assert_eq!(projects.calls("Query"), searched);
}

#[tokio::test]
async fn who_has_a_machine_gets_it_although_no_other_is_idle() {
    let projects = Projects::with_idle(1).await;
    let view = projects.claimed("p").await;
    let again = projects.claim("p").await;
    assert_eq!((again.status, again.json()), (200, view));
    assert_eq!(
        projects.claim("another").await.problem(503),
        "no_idle_machine"
    );
}

#[tokio::test]
async fn without_an_idle_machine_the_project_waits() {
    let projects = Projects::start().await;
    projects.warming(1).await;
    let answer = projects.claim("late").await;
    assert_eq!(answer.problem(503), "no_idle_machine");
    assert_eq!(answer.header("retry-after"), "5");
    let now = projects.world.clock.now();
    let waiting = projects.world.store.waiting(now).await.unwrap();
    assert_eq!(waiting, ["late".parse().unwrap()]);
    assert_eq!(projects.counted("none_idle"), 1);
    assert_eq!(
        projects.get("/projects/late/machine").await.problem(404),
        "no_claim"
    );

    projects.idle(2).await;
    assert_eq!(projects.claim("late").await.status, 201);
    let waiting = projects.world.store.waiting(now).await.unwrap();
    assert_eq!(waiting, []);
}

#[tokio::test]
async fn a_project_that_has_none_is_told_so() {
    let projects = Projects::with_idle(1).await;
    let read = projects.get("/projects/unknown/machine").await;
    assert_eq!(read.problem(404), "no_claim");
    assert!(read.detail().contains("PUT /projects/unknown/machine"));
    assert_eq!(projects.release("unknown").await.problem(404), "no_claim");
}

#[tokio::test]
async fn a_claim_may_end_by_itself_and_is_renewed_by_claiming_again() {
    let projects = Projects::with_idle(1).await;
    let path = "/projects/p/machine";
    let start = projects.world.clock.now();
    let ends = |answer: &Value| instant(&answer["expires_at"]).duration_since(start);
    let answer = projects.put(path, &json!({"ttl_minutes": 30})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let view = answer.json();
    assert_eq!(ends(&view), SignedDuration::from_mins(30));

    projects.world.jump(Duration::from_mins(20));
    // Who does not speak of it changes nothing.
    for body in [json!({}), json!({"ttl_minutes": null})] {
        let answer = projects.put(path, &body).await;
        assert_eq!((answer.status, answer.json()), (200, view.clone()));
    }
    let renewed = projects.put(path, &json!({"ttl_minutes": 30})).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert_eq!(ends(&renewed.json()), SignedDuration::from_mins(50));
    assert_eq!(renewed.json()["claimed_at"], view["claimed_at"]);
    assert_eq!(projects.get(path).await.json(), renewed.json());
    let machine = projects.machine(&view).await;
    assert_eq!(
        machine
            .claim()
            .unwrap()
            .expires_at
            .unwrap()
            .duration_since(start),
        SignedDuration::from_mins(50)
    );
}

#[tokio::test]
async fn whether_a_project_moves_is_what_was_said_last() {
    let projects = Projects::with_idle(1).await;
    let path = "/projects/p/machine";
    let mut seen = Vec::new();
    for body in [
        json!({"move_on_interruption": true}),
        json!({}),
        json!({"move_on_interruption": false}),
        json!({"move_on_interruption": true, "ttl_minutes": 5}),
    ] {
        let view = projects.put(path, &body).await.json();
        seen.push(projects.machine(&view).await.claim().unwrap().moves);
    }
    assert_eq!(seen, [true, true, false, true]);
}

#[tokio::test]
async fn what_is_given_back_is_nobodys_any_more() {
    let projects = Projects::with_idle(2).await;
    let first = projects.claimed("p").await;
    let answer = projects.release("p").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let released = answer.json();
    assert_eq!(released["machine_id"], first["machine_id"]);
    assert_eq!(released["instance_id"], first["instance_id"]);
    assert_eq!(released["status"], "draining");
    assert_eq!(
        projects.get("/projects/p/machine").await.problem(404),
        "no_claim"
    );
    assert_eq!(projects.release("p").await.problem(404), "no_claim");

    let second = projects.claim("p").await;
    assert_eq!(second.status, 201, "{}", second.text());
    assert_ne!(second.json()["machine_id"], first["machine_id"]);
    assert_eq!(projects.machine(&first).await.status, Status::Draining);
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let projects = Projects::with_idle(1).await;
    let path = "/projects/p/machine";
    for (body, field) in [
        (json!({"ttl": 5}), "ttl"),
        (json!({"ttl_minutes": 0}), "ttl_minutes"),
        (json!({"ttl_minutes": 525_601}), "ttl_minutes"),
        (json!({"ttl_minutes": -1}), "ttl_minutes"),
        (json!({"ttl_minutes": "5"}), "ttl_minutes"),
        (json!({"move_on_interruption": 1}), "move_on_interruption"),
        (json!([]), "object"),
    ] {
        let answer = projects.put(path, &body).await;
        assert_eq!(answer.problem(400), "invalid_body", "{body}");
        assert!(answer.detail().contains(field), "{}", answer.detail());
    }
    let broken = GatewayEvent::post(path, "{").method("PUT");
    assert_eq!(projects.send(broken).await.problem(400), "invalid_json");
    let text = GatewayEvent::new("PUT", path)
        .header("content-type", "text/plain")
        .text("{}");
    assert_eq!(
        projects.send(text).await.problem(415),
        "unsupported_media_type"
    );
    // No body is no wish, however it is labelled.
    for empty in [
        GatewayEvent::new("PUT", path).header("content-type", "text/plain"),
        GatewayEvent::post(path, " \n").method("PUT"),
        GatewayEvent::new("PUT", path).bytes(b""),
        GatewayEvent::post(path, "null").method("PUT"),
    ] {
        let answer = projects.send(empty).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    }
}

#[tokio::test]
async fn while_a_deployment_is_drained_nothing_is_handed_out() {
    let projects = Projects::with_idle(2).await;
    let had = projects.claimed("had").await;
    let now = projects.world.clock.now();
    projects
        .world
        .store
        .start_drain("admin", now)
        .await
        .unwrap();
    for path in ["/new", "/had"] {
        let answer = projects.get(path).await;
        if path == "/had" {
            // What was answered before is answered again, as long as it lasts.
            assert_eq!((answer.status, answer.json()), (200, had.clone()));
        } else {
            assert_eq!(answer.problem(409), "draining");
            assert!(answer.detail().contains("DELETE /drain"));
        }
    }
    assert_eq!(projects.counted("refused_by_drain"), 1);
    assert_eq!(projects.world.store.waiting(now).await.unwrap(), []);
    projects.world.store.end_drain().await.unwrap();
    assert_eq!(projects.claim("new").await.status, 201);
    // Also when there is nothing to hand out anyway.
    projects
        .world
        .store
        .start_drain("admin", now)
        .await
        .unwrap();
    assert_eq!(projects.claim("another").await.problem(409), "draining");
}

#[tokio::test]
async fn a_deployment_without_a_pool_says_so() {
    let projects = Projects::start_with(None, Settings::default()).await;
    assert_eq!(projects.claim("p").await.problem(409), "no_pool");
    let answer = projects.put("/pool", &json!({"buffer": 1})).await;
    assert_eq!(answer.problem(409), "no_pool");
    let view = projects.get("/pool").await.json();
    assert_eq!(view["group"], Value::Null);
    assert!(
        view["note"]
            .as_str()
            .unwrap()
            .contains("AutoScalingGroupName")
    );
    assert_eq!(
        projects.get("/projects/p/machine").await.problem(404),
        "no_claim"
    );
}
