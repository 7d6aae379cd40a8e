//! POST /destroy, and what POST /instances/{id}/… may do to a machine of the pool.

use haulout_domain::{machine::Machine, status::Status};
use haulout_tests::gateway::{Answer, GatewayEvent};
use http::Method;
use serde_json::{Value, json};

use super::support::Projects;

impl Projects {
    async fn destroy(&self, id: &str) -> Answer {
        let body = json!({ "machineId": id });
        self.send(GatewayEvent::post("/destroy", body.to_string()))
            .await
    }
}

fn instance(machine: &Machine) -> &str {
    machine.instance_id.as_ref().unwrap().as_str()
}

#[tokio::test]
async fn a_machine_is_destroyed_by_either_id_and_once() {
    let projects = Projects::start().await;
    for (number, by_instance) in [(1, true), (2, false)] {
        let machine = projects.idle(number).await;
        let id = if by_instance {
            instance(&machine)
        } else {
            machine.id.as_str()
        };
        for _ in 0..2 {
            let answer = projects.destroy(id).await;
            assert_eq!(answer.status, 202, "{}", answer.text());
            let view = answer.json();
            assert_eq!(view["machineId"], instance(&machine));
            assert_eq!(view["id"], machine.id.as_str());
            assert_eq!(view["status"], "draining");
        }
        let after = projects.world.machine(&machine.id).await;
        let drained = after
            .timeline
            .iter()
            .filter(|it| it.phase == Status::Draining);
        assert_eq!(drained.count(), 1);
        assert!(after.pool.unwrap().lowers_desired);
    }
    assert_eq!(projects.claim("p").await.problem(503), "no_idle_machine");
}

#[tokio::test]
async fn who_had_a_destroyed_machine_has_none() {
    let projects = Projects::with_idle(1).await;
    let view = projects.claimed("p").await;
    let id = view["machine_id"].as_str().unwrap().to_owned();
    assert_eq!(projects.destroy(&id).await.status, 202);
    assert_eq!(
        projects.get("/projects/p/machine").await.problem(404),
        "no_claim"
    );
    // One that has ended is told as such, for as long as it is remembered.
    let now = projects.world.clock.now();
    let machine = projects.machine(&view).await;
    projects
        .change(&machine, |machine| machine.instance_gone(now))
        .await;
    let again = projects.destroy(&id).await;
    assert_eq!(
        (again.status, &again.json()["status"]),
        (202, &json!("terminated"))
    );
}

#[tokio::test]
async fn what_is_not_the_pools_is_not_destroyed() {
    let projects = Projects::start().await;
    let created = projects
        .world
        .request(Method::POST, "/instances", None, Some(&json!({})))
        .await;
    let (status, launched) = created.unwrap();
    assert_eq!(status, 202);
    let id = launched["id"].as_str().unwrap();
    let answer = projects.destroy(id).await;
    assert_eq!(answer.problem(409), "conflict");
    assert!(answer.detail().contains(&format!("DELETE /instances/{id}")));
    assert_eq!(
        projects.destroy("i-0123456789abcdef0").await.problem(404),
        "unknown_machine"
    );
}

#[tokio::test]
async fn a_body_that_names_no_machine_is_refused() {
    let projects = Projects::start().await;
    for body in [
        json!({}),
        json!({"machineId": null}),
        json!({"machineId": ""}),
        json!({"machineId": "web-1"}),
        json!({"machine_id": "i-0123456789abcdef0"}),
        json!({"machineId": "i-0123456789abcdef0", "force": true}),
    ] {
        let event = GatewayEvent::post("/destroy", body.to_string());
        let answer = projects.send(event).await;
        assert_eq!(answer.problem(400), "invalid_body", "{body}");
    }
}

#[tokio::test]
async fn a_machine_of_the_pool_is_neither_stopped_nor_started() {
    let projects = Projects::with_idle(2).await;
    let view = projects.claimed("p").await;
    for (verb, code) in [("stop", "conflict"), ("start", "conflict")] {
        for id in ["machine_id", "instance_id"] {
            let path = format!("/instances/{}/{verb}", view[id].as_str().unwrap());
            let answer = projects.world.request(Method::POST, &path, None, None);
            let (status, body): (u16, Value) = answer.await.unwrap();
            assert_eq!(
                (status, &body["code"]),
                (409, &json!(code)),
                "{path}: {body}"
            );
        }
    }
    assert_eq!(projects.machine(&view).await.status, Status::Claimed);
}
