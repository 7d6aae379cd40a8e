//! Paths: a project's id is the first word of one, and must not be taken for another.

use std::collections::BTreeSet;

use haulout_domain::pool::{ProjectId, RESERVED};
use haulout_tests::gateway::GatewayEvent;
use serde_json::Value;

use super::support::Projects;

/// The first words of the API's paths, parameters left out.
fn first_words() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().keys();
    paths
        .filter_map(|path| path.split('/').nth(1))
        .filter(|word| !word.is_empty() && !word.starts_with('{'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_project_has_the_name_of_a_path() {
    let words = first_words();
    assert!(
        words.contains("instances") && words.contains("pool"),
        "{words:?}"
    );
    for word in words {
        assert!(RESERVED.contains(&word.as_str()), "/{word} is not reserved");
        assert!(word.parse::<ProjectId>().is_err());
    }
}

#[tokio::test]
async fn what_is_no_project_id_is_refused_everywhere() {
    let projects = Projects::with_idle(1).await;
    let long = "a".repeat(65);
    for id in [
        "a%20b", "a%2Fb", "%00", "..", ".", "a~b", "ünï", "a%", &long,
    ] {
        let path = format!("/projects/{id}/machine");
        for event in [
            GatewayEvent::new("PUT", &path),
            GatewayEvent::get(&path),
            GatewayEvent::new("DELETE", &path),
            GatewayEvent::get(&format!("/{id}")),
        ] {
            let answer = projects.send(event).await;
            assert_eq!(answer.problem(400), "invalid_path", "{id}");
            assert!(
                answer.detail().contains("project id") || id == "a%",
                "{}",
                answer.detail()
            );
        }
    }
    for word in RESERVED {
        let answer = projects.claim(word).await;
        assert_eq!(answer.problem(400), "invalid_path", "{word}");
        assert!(
            answer.detail().contains("path of the API"),
            "{}",
            answer.detail()
        );
    }
    // API Gateway brings what it has no route of its own for.
    for word in ["login", "api", "Projects", "instances", "favicon.ico"] {
        let answer = projects.get(&format!("/{word}")).await;
        assert_eq!(answer.problem(400), "invalid_path", "{word}");
    }
    assert_eq!(projects.get("/status").await.json()["usedMachines"], 0);
}

#[tokio::test]
async fn nobody_claims_without_a_token() {
    let projects = Projects::with_idle(1).await;
    for event in [
        GatewayEvent::new("PUT", "/projects/p/machine"),
        GatewayEvent::get("/projects/p/machine"),
        GatewayEvent::new("DELETE", "/projects/p/machine"),
        GatewayEvent::get("/p"),
        GatewayEvent::get("/login"),
        GatewayEvent::get("/pool"),
        GatewayEvent::new("PUT", "/pool"),
        GatewayEvent::get("/status"),
        GatewayEvent::new("POST", "/destroy"),
    ] {
        let answer = event.send(projects.app()).await;
        assert_eq!(answer.problem(401), "missing_token");
    }
    assert_eq!(projects.get("/status").await.json()["idleMachines"], 1);
}

#[tokio::test]
async fn other_methods_of_these_paths_are_a_405_and_unknown_paths_a_404() {
    let app = haulout_console::app(haulout_api::Cors::default());
    for (method, path, allow) in [
        ("POST", "/some-word", "GET"),
        ("DELETE", "/some-word", "GET"),
        ("POST", "/projects/p/machine", "GET,PUT,DELETE"),
        ("POST", "/pool", "GET,PUT"),
        ("DELETE", "/status", "GET"),
        ("PUT", "/destroy", "POST"),
        ("POST", "/instances/m-1", "GET,DELETE"),
    ] {
        let answer = GatewayEvent::new(method, path).send(&app).await;
        assert_eq!(answer.problem(405), "method_not_allowed", "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for (method, path) in [
        ("POST", "/api"),
        ("POST", "/login"),
        ("PUT", "/Projects"),
        ("POST", "/projects/p"),
        ("POST", "/a/b"),
        ("GET", "/projects/p/machine/x"),
    ] {
        let answer = GatewayEvent::new(method, path).send(&app).await;
        assert_eq!(answer.problem(404), "unknown_path", "{method} {path}");
    }
}
