//! What else a machine can have: a spot request, a security group of its own, figures.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{Fixture, PATIENCE, is, phases, text};

pub(super) async fn an_interrupted_spot_machine_ends_when_ec2_ends_it(fixture: &Fixture) {
    let body = json!({"name": "spot", "market": "spot"});
    let machine = fixture.ready(&body).await;
    assert_eq!(machine["market"], "spot");
    assert_eq!(machine["spot_status"]["code"], "fulfilled");
    let (id, instance) = (text(&machine, "id"), text(&machine, "instance_id"));
    let stop = fixture
        .api
        .post(&format!("/instances/{id}/stop"), &json!({}))
        .await;
    assert_eq!(stop.status, StatusCode::CONFLICT, "{}", stop.text);
    assert_eq!(stop.json["code"], "spot_cannot_stop");

    let path = format!("/_sim/interrupt/{instance}");
    let told = fixture.sim().send(Method::POST, &path, &[], "").await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.text);
    let gone = fixture.api.until(id, PATIENCE, is("terminated")).await;
    let seen = phases(&gone);
    let end = &seen[seen.len() - 2..];
    assert_eq!(end, ["interrupted", "terminated"], "{gone}");
    assert_eq!(gone["error"]["code"], "spot_interrupted");
    let state = fixture.sim_state().await;
    let requests = state["spot_requests"].as_array().expect("spot requests");
    let request = requests.iter().find(|it| it["instance_id"] == instance);
    assert_eq!(request.expect("its request")["state"], "closed");
}

pub(super) async fn a_security_group_of_its_own_goes_with_the_machine(fixture: &Fixture) {
    let body = json!({"name": "guarded", "create_security_group": {"cidr": "203.0.113.0/24"}});
    let machine = fixture.ready(&body).await;
    let id = text(&machine, "id");
    let groups = async || {
        let state = fixture.sim_state().await;
        let all = state["security_groups"].as_array().expect("groups").clone();
        let own = |group: &Value| group["tags"]["haulout:machine"] == id;
        all.into_iter().filter(own).collect::<Vec<_>>()
    };
    let made = groups().await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(made[0]["group_id"], machine["security_group_id"]);
    let ingress = made[0]["ingress"].as_array().expect("rules");
    assert_eq!(ingress.len(), 3, "{ingress:?}");
    let is_from_there = |rule: &Value| {
        rule.as_str()
            .is_some_and(|it| it.contains("203.0.113.0/24"))
    };
    assert!(ingress.iter().all(is_from_there), "{ingress:?}");
    // A machine is only closed when its group is gone.
    fixture.end(id).await;
    assert_eq!(groups().await, Vec::<Value>::new());
}

pub(super) async fn figures_are_read_through_the_api(fixture: &Fixture) {
    let machine = fixture.ready(&json!({"name": "measured"})).await;
    let id = text(&machine, "id");
    let path = format!("/instances/{id}/metrics?period=60");
    let figures = fixture.api.get(&path).await;
    assert_eq!(figures.status, StatusCode::OK, "{}", figures.text);
    assert_eq!(figures.json["instance_id"], machine["instance_id"]);
    assert_eq!(figures.json["period_seconds"], 60);
    for field in [
        "cpu_utilization",
        "status_check_failed",
        "status_check_failed_instance",
        "status_check_failed_system",
    ] {
        assert!(figures.json[field].is_array(), "{field}: {}", figures.text);
    }
    let odd = fixture
        .api
        .get(&format!("/instances/{id}/metrics?period=61"))
        .await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST, "{}", odd.text);
    fixture.end(id).await;
}
