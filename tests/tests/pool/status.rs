//! GET /status.

use serde_json::{Value, json};

use super::support::Projects;

#[tokio::test]
async fn every_machine_that_has_not_ended_is_listed() {
    let projects = Projects::with_idle(3).await;
    projects.warming(4).await;
    let view = projects.claimed("mine").await;
    let released = projects.claimed("other").await;
    projects.release("other").await;
    let gone = projects.idle(5).await;
    let now = projects.world.clock.now();
    projects
        .change(&gone, |machine| machine.instance_gone(now))
        .await;

    let answer = projects.get("/status").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let status = answer.json();
    assert_eq!(
        (
            &status["totalMachines"],
            &status["idleMachines"],
            &status["usedMachines"]
        ),
        (&json!(4), &json!(1), &json!(1))
    );
    let machines = status["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 4);
    let of = |id: &Value| machines.iter().find(|it| it["id"] == *id).unwrap();
    assert_eq!(
        *of(&view["machine_id"]),
        json!({
            "machineId": view["instance_id"],
            "id": view["machine_id"],
            "ip": view["ip"],
            "projectId": "mine",
            "status": "claimed",
            "state": "running",
        })
    );
    let draining = of(&released["machine_id"]);
    assert_eq!(
        (&draining["status"], &draining["projectId"]),
        (&json!("draining"), &Value::Null)
    );
}

#[tokio::test]
async fn a_pool_of_more_than_a_page_is_listed_whole() {
    let projects = Projects::with_idle(230).await;
    for number in 0..10 {
        projects.claimed(&format!("p{number}")).await;
    }
    let status = projects.get("/status").await.json();
    assert_eq!(
        (
            &status["totalMachines"],
            &status["idleMachines"],
            &status["usedMachines"]
        ),
        (&json!(230), &json!(220), &json!(10))
    );
}

#[tokio::test]
async fn machines_of_others_are_not_listed() {
    let projects = Projects::start().await;
    let body = json!({});
    let created = projects
        .world
        .request(http::Method::POST, "/instances", None, Some(&body));
    assert_eq!(created.await.unwrap().0, 202);
    let status = projects.get("/status").await.json();
    assert_eq!(
        status,
        json!({"totalMachines": 0, "idleMachines": 0, "usedMachines": 0, "machines": []})
    );
}
