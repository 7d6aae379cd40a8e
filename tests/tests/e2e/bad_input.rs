//! What a user gets wrong, through API Gateway as deployed: always a problem that says what, never a launch.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::Fixture;

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) async fn is_refused_with_a_problem(fixture: &Fixture) {
    let blob = &fixture.stack.demo_blobs.model;
    let long = "x".repeat(70_000);
    let cases: &[(&str, String, u16, &str)] = &[
        ("not JSON", "{".to_owned(), 400, "JSON"),
        ("no object", "[]".to_owned(), 400, ""),
        (
            "unknown field",
            json!({"blob_id": blob, "blobid": 1}).to_string(),
            400,
            "blobid",
        ),
        (
            "wrong type",
            json!({"blob_id": 7}).to_string(),
            400,
            "blob_id",
        ),
        (
            "no blob id",
            json!({"blob_id": "../../etc/passwd"}).to_string(),
            400,
            "blob_id",
        ),
        (
            "a shell",
            json!({"blob_id": "$(reboot)"}).to_string(),
            400,
            "blob_id",
        ),
        (
            "an AMI that is none",
            json!({"ami": "ami-1"}).to_string(),
            400,
            "ami",
        ),
        (
            "a size without a blob",
            json!({"size_bytes": 5}).to_string(),
            400,
            "size_bytes",
        ),
        (
            "a time limit out of bounds",
            json!({"blob_id": blob, "command_timeout_seconds": 1}).to_string(),
            400,
            "command_timeout_seconds",
        ),
        (
            "an unknown word",
            json!({"blob_id": blob, "on_failure": "explode"}).to_string(),
            400,
            "on_failure",
        ),
        ("too large", json!({"name": long}).to_string(), 413, ""),
    ];
    for (what, body, status, says) in cases {
        let answer = fixture
            .api
            .send(Method::POST, "/instances", &[], body.clone())
            .await;
        assert_eq!(answer.status.as_u16(), *status, "{what}: {}", answer.text);
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{what}"
        );
        let detail = answer.json["detail"].as_str().expect("a detail");
        assert!(detail.contains(says), "{what}: {detail}");
        assert!(
            answer.json["request_id"].is_string(),
            "{what}: {}",
            answer.text
        );
    }
    for (name, value) in [("prefer", "wait=99"), ("idempotency-key", "ü")] {
        let body = json!({"blob_id": blob}).to_string();
        let answer = fixture
            .api
            .send(Method::POST, "/instances", &[(name, value)], body)
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{name}: {}",
            answer.text
        );
    }
}

pub(super) async fn reads_are_found_or_not(fixture: &Fixture) {
    let stranger = fixture.stranger();
    for path in ["/instances", "/instances/i-0123456789abcdef0"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(answer.headers.contains_key("www-authenticate"), "{path}");
    }
    let health = stranger.get("/health").await;
    assert_eq!(health.json, json!({"status": "ok"}));
    let root = stranger.get("/").await;
    assert_eq!(root.json["status"], "healthy");
    let page = stranger
        .send(Method::GET, "/", &[("accept", "text/html")], "")
        .await;
    assert!(page.text.contains("<html"), "{}", page.text);
    let document = stranger.get("/openapi.json").await;
    assert!(document.json["paths"]["/instances/{id}"].is_object());
    let docs = stranger.get("/docs").await;
    assert!(
        docs.status.is_success() || docs.status.is_redirection(),
        "{}",
        docs.status
    );

    for (path, status, code) in [
        (
            "/instances/m-00000000-0000-7000-8000-000000000000",
            404,
            "unknown_machine",
        ),
        ("/instances/i-0123456789abcdef0", 404, "unknown_machine"),
        ("/instances/nonsense", 400, "invalid_path"),
        ("/instances/%3Fx%20%00", 400, "invalid_path"),
        ("/instances?limit=0", 400, "invalid_query"),
        ("/instances?colour=red", 400, "invalid_query"),
        ("/instances?cursor=AAAA", 400, "invalid_cursor"),
        ("/no/where", 404, "unknown_path"),
        // No other route: the word would be a project, but it is one of the API's own.
        ("/login", 400, "invalid_path"),
    ] {
        let answer = fixture.api.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(answer.json["code"], code, "{path}");
    }
    let wrong = fixture.api.send(Method::PUT, "/instances", &[], "").await;
    assert_eq!(
        wrong.status,
        StatusCode::METHOD_NOT_ALLOWED,
        "{}",
        wrong.text
    );
    let allow = wrong.headers["allow"].to_str().expect("text");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    assert_ne!(wrong.json, Value::Null);
}
