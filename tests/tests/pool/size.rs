//! /pool: what there should be, and what there is.

use std::time::Duration;

use axum::{Extension, body::Body};
use haulout_api::Caller;
use haulout_domain::{
    access::Role,
    failure::MachineError,
    pool::{
        Danger, PoolReport,
        capacity::{Bounds, Counts},
        failures::{Failures, MOST_FAILED},
    },
    staging::Archive,
    status::Status,
};
use haulout_tests::{gateway::GatewayEvent, world::POOL_GROUP};
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::support::Projects;

fn bounds(view: &Value) -> (u64, u64, u64) {
    let number = |name: &str| view[name].as_u64().unwrap();
    (number("buffer"), number("min"), number("max"))
}

#[tokio::test]
async fn the_deployment_says_how_many_until_somebody_else_does() {
    let projects = Projects::start().await;
    let view = projects.get("/pool").await.json();
    assert_eq!(
        (bounds(&view), &view["group"]),
        ((5, 0, 200), &json!(POOL_GROUP))
    );
    assert_eq!(projects.world.store.pool_bounds().await.unwrap(), None);

    let all = json!({"buffer": 3, "min": 2, "max": 50});
    let answer = projects.put("/pool", &all).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bounds(&answer.json()), (3, 2, 50));
    assert_eq!(projects.get("/pool").await.json(), answer.json());
    // What is left out stays.
    let answer = projects
        .put("/pool", &json!({"buffer": 0, "min": null}))
        .await;
    assert_eq!(bounds(&answer.json()), (0, 2, 50));
    assert_eq!(
        bounds(&projects.put("/pool", &json!({})).await.json()),
        (0, 2, 50)
    );
    assert_eq!(
        projects.world.store.pool_bounds().await.unwrap(),
        Some(Bounds {
            buffer: 0,
            min: 2,
            max: 50
        })
    );
}

#[tokio::test]
async fn sizes_that_make_no_sense_are_refused() {
    let projects = Projects::start().await;
    for (body, named) in [
        (json!({"min": 201}), "min"),
        (json!({"max": 4}), "buffer"),
        (json!({"buffer": 10, "max": 9}), "buffer"),
        (json!({"buffer": 0, "min": 5, "max": 4}), "min"),
        (json!({"max": 10_001}), "max is 10001"),
        (json!({"buffer": 4_294_967_295_u64}), "buffer is"),
        (json!({"buffer": 4_294_967_296_u64}), "buffer"),
        (json!({"buffer": -1}), "buffer"),
        (json!({"buffer": 1.5}), "buffer"),
        (json!({"desired": 3}), "desired"),
    ] {
        let answer = projects.put("/pool", &body).await;
        assert_eq!(answer.problem(400), "invalid_body", "{body}");
        assert!(answer.detail().contains(named), "{}", answer.detail());
    }
    let empty = projects.send(GatewayEvent::new("PUT", "/pool")).await;
    assert_eq!(empty.problem(400), "invalid_json");
    assert_eq!(projects.world.store.pool_bounds().await.unwrap(), None);
}

#[tokio::test]
async fn only_an_administrator_changes_the_size() {
    let projects = Projects::start().await;
    let operator = Caller::new("admin", [Role::Operator]);
    let app = projects.routes().layer(Extension(operator));
    for (method, status) in [("PUT", 403), ("GET", 200)] {
        let request = Request::builder().method(method).uri("/pool");
        let request = request.body(Body::from(r#"{"buffer": 1}"#)).unwrap();
        let Ok(answer) = app.clone().oneshot(request).await;
        assert_eq!(answer.status().as_u16(), status, "{method}");
    }
    assert_eq!(projects.world.store.pool_bounds().await.unwrap(), None);
}

fn failures(last_at: Timestamp) -> Failures {
    Failures {
        archive: Archive::Package("model@1.0.0".parse().unwrap()),
        count: MOST_FAILED,
        last_at,
        last: MachineError {
            code: "not_a_zip".to_owned(),
            message: "it begins with 'x'".to_owned(),
            hint: "Upload a zip archive.".to_owned(),
            phase: Status::FetchingBlob,
        },
    }
}

#[tokio::test]
async fn what_refresh_found_is_told_with_what_is_wrong() {
    let projects = Projects::start().await;
    let view = projects.get("/pool").await.json();
    assert_eq!(
        (&view["idle"], &view["seen_at"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        view["note"].as_str().unwrap().contains(POOL_GROUP),
        "{view}"
    );

    let now = projects.world.clock.now();
    let mut report = PoolReport {
        at: now,
        group: POOL_GROUP.to_owned(),
        counts: Counts {
            warming: 1,
            idle: 5,
            claimed: 7,
            draining: 2,
        },
        desired: 13,
        group_min: 0,
        group_max: 100,
        dangers: Vec::new(),
        surplus_since: None,
        failures: None,
    };
    let tell = async |report: &PoolReport| {
        projects.world.store.put_pool_report(report).await.unwrap();
        projects.get("/pool").await.json()
    };
    let view = tell(&report).await;
    assert_eq!(view["note"], Value::Null);
    for (name, number) in [
        ("warming", 1),
        ("idle", 5),
        ("claimed", 7),
        ("draining", 2),
        ("desired", 13),
        ("group_min", 0),
        ("group_max", 100),
    ] {
        assert_eq!(view[name], number, "{name}");
    }
    assert_eq!(view["seen_at"], json!(now));

    report.dangers = vec![Danger::AzRebalance, Danger::MaxInstanceLifetime];
    let view = tell(&report).await;
    assert_eq!(
        view["dangers"],
        json!(["az_rebalance", "max_instance_lifetime"])
    );
    assert!(view["note"].as_str().unwrap().contains("RepairGroup"));

    report.dangers = Vec::new();
    report.failures = Some(failures(now));
    let view = tell(&report).await;
    assert_eq!(view["dangers"], json!(["staging_fails"]));
    let note = view["note"].as_str().unwrap();
    assert!(note.contains("not_a_zip: it begins with 'x'"), "{note}");
    assert!(!note.contains("RepairGroup"), "{note}");

    projects.world.jump(Duration::from_mins(6));
    let view = projects.get("/pool").await.json();
    assert!(view["note"].as_str().unwrap().contains("lately"), "{view}");

    report.group = "another".to_owned();
    assert_eq!(tell(&report).await["idle"], Value::Null);
}
