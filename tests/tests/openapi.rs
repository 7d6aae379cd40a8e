//! openapi.json is what the code says, and holds what every operation must have.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeSet, env, fs, path::Path};

use haulout_api::{Code, openapi::document};
use haulout_domain::{
    access::{Access, ROUTES, access_of},
    status::{InstanceState, OnFailure, Source, Status},
};
use serde_json::{Map, Value};

/// Writes the document instead of comparing it, when set.
const UPDATE: &str = "HAULOUT_UPDATE_OPENAPI";

fn from_code() -> Value {
    let document = document([
        haulout_console::openapi(),
        haulout_instances::openapi(),
        haulout_pool::openapi(),
        haulout_identity::openapi(),
        haulout_packages::openapi(),
    ]);
    serde_json::to_value(document).unwrap()
}

/// Every operation: method in capitals, path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((
                method.to_uppercase(),
                path.clone(),
                operation.as_object().unwrap(),
            ));
        }
    }
    found
}

#[test]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&from_code()).unwrap());
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, current).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == current,
        "openapi.json is stale. Refresh it: {UPDATE}=1 cargo test -p haulout-tests openapi"
    );
}

#[test]
fn every_operation_has_its_problems_and_says_whether_it_needs_a_token() {
    let document = from_code();
    assert_eq!(document["security"], serde_json::json!([{"bearer": []}]));
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let public = access_of(&method, &path) == Some(Access::Public);
        assert_eq!(
            operation.get("security"),
            public.then_some(&Value::Array(Vec::new())),
            "{place}"
        );
        let responses = operation["responses"].as_object().unwrap();
        let mut wanted = vec!["400", "500"];
        if !public {
            wanted.extend(["401", "503"]);
        }
        if operation.contains_key("requestBody") {
            wanted.extend(["413", "415"]);
        }
        for status in wanted {
            assert!(responses.contains_key(status), "{place}: no {status}");
        }
        for (status, response) in responses {
            assert!(
                response["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{place}: {status}"
            );
            if status.starts_with(['4', '5']) {
                let content = response["content"].as_object().unwrap();
                let kinds: Vec<_> = content.keys().collect();
                assert_eq!(kinds, ["application/problem+json"], "{place}: {status}");
            }
        }
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{place}"
        );
        assert!(operation.contains_key("tags"), "{place}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_operation_ids_are_unique() {
    let document = from_code();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let all = operations(&document);
    let ids: BTreeSet<_> = all
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn the_document_lists_every_code_and_every_public_path() {
    let document = from_code();
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(
        document["components"]["schemas"]["Code"]["enum"],
        serde_json::json!(codes)
    );
    for (method, path, access) in ROUTES {
        if *access != Access::Public {
            continue;
        }
        let part_of_a_page = path.starts_with("/docs/");
        let known = operations(&document)
            .iter()
            .any(|(m, p, _)| m == method && p == path);
        assert!(known || part_of_a_page, "{method} {path}");
    }
}

#[test]
fn words_are_written_as_they_are_sent() {
    let document = from_code();
    let words = |schema: &str| document["components"]["schemas"][schema]["enum"].clone();
    assert_eq!(words("Status"), serde_json::json!(Status::ALL));
    assert_eq!(words("Source"), serde_json::json!(Source::ALL));
    assert_eq!(words("OnFailure"), serde_json::json!(OnFailure::ALL));
    assert_eq!(
        words("InstanceState"),
        serde_json::json!(InstanceState::ALL)
    );
}

#[test]
fn the_template_routes_every_operation() {
    let template =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap();
    for (method, path, _) in operations(&from_code()) {
        let route = format!("RouteKey: {method} {path}\n");
        assert!(template.contains(&route), "template.yaml has no {route}");
    }
}
