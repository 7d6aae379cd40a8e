//! The drain: no new machines, and how many are left.

use axum::{Extension, body::Body};
use haulout_api::Caller;
use haulout_domain::{
    access::Role,
    failure::{Failure, FailureCode},
};
use haulout_tests::gateway::GatewayEvent;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::support::Machines;

#[tokio::test]
async fn while_a_deployment_is_drained_no_machine_is_made() {
    let machines = Machines::plain().await;
    let idle = machines.get("/drain").await;
    assert_eq!(idle.status, 200, "{}", idle.text());
    assert_eq!(
        idle.json(),
        json!({"draining": false, "since": null, "by": null, "machines_left": 0})
    );
    let event = GatewayEvent::post("/instances", "{}").header("idempotency-key", "k1");
    let made = machines.send(event.clone()).await;
    assert_eq!(made.status, 202, "{}", made.text());
    machines.ready(&json!({})).await;
    let begun = machines.send(GatewayEvent::new("POST", "/drain")).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    let view = begun.json();
    assert_eq!(
        (&view["draining"], &view["by"]),
        (&json!(true), &json!("admin"))
    );
    assert_eq!(view["machines_left"], 2);
    let (code, detail) = machines.refused(&json!({}), 409).await;
    assert_eq!(code, "draining");
    assert!(detail.contains("DELETE /drain"), "{detail}");
    assert_eq!(machines.counted("create", "refused_by_drain"), 1);
    // What was answered before is answered again.
    assert_eq!(machines.send(event).await.json(), made.json());
    // Beginning again changes nothing.
    machines.world.jump(std::time::Duration::from_mins(1));
    let again = machines.send(GatewayEvent::new("POST", "/drain")).await;
    assert_eq!(again.json()["since"], view["since"]);
    assert_eq!(machines.get("/drain").await.json(), again.json());

    let ended = machines.delete("/drain").await;
    assert_eq!(
        (ended.status, &ended.json()["draining"]),
        (200, &json!(false))
    );
    assert_eq!(machines.delete("/drain").await.status, 200);
    machines.create(&json!({})).await;
}

#[tokio::test]
async fn machines_that_have_ended_are_not_left() {
    let machines = Machines::plain().await;
    let ended = machines.create(&json!({})).await;
    // Nothing was launched for it.
    machines.delete(&format!("/instances/{}", ended.id)).await;
    let failed = machines.create(&json!({})).await;
    let now = machines.world.clock.now();
    let failure = Failure::new(FailureCode::AwsError, "no luck");
    let failed = machines
        .change(&failed, |machine| {
            machine.fail(failure.clone(), now);
        })
        .await;
    assert!(failed.closed_at.is_some());
    let ending = machines.ready(&json!({})).await;
    machines.delete(&format!("/instances/{}", ending.id)).await;
    let left = machines.get("/drain").await.json()["machines_left"].clone();
    assert_eq!(left, 1);
    machines.see(&ending).await;
    let left = machines.get("/drain").await.json()["machines_left"].clone();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn only_an_administrator_drains() {
    let machines = Machines::plain().await;
    let operator = Caller::new("admin", [Role::Operator]);
    let app = machines.routes().layer(Extension(operator));
    for (method, status) in [("POST", 403), ("GET", 200), ("DELETE", 403)] {
        let request = Request::builder().method(method).uri("/drain");
        let request = request.body(Body::empty()).unwrap();
        let Ok(answer) = app.clone().oneshot(request).await;
        assert_eq!(answer.status().as_u16(), status, "{method}");
    }
    assert_eq!(machines.get("/drain").await.json()["since"], Value::Null);
}
