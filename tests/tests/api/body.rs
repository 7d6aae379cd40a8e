//! JSON bodies: everything wrong is a 400-class problem that names the place.

use haulout_api::json::{MAX_BODY, parse};
use haulout_tests::gateway::{Answer, GatewayEvent};

use super::support::{TOKEN, Thing, app};

async fn post(body: &str) -> Answer {
    GatewayEvent::post("/things", body)
        .token(TOKEN)
        .send(&app())
        .await
}

/// A body that is refused: its code, and words of the detail.
#[track_caller]
fn refused(body: &[u8], code: &str, words: &[&str]) {
    let problem = parse::<Thing>(body).unwrap_err();
    let detail = problem.detail();
    assert_eq!(problem.code().as_str(), code, "{detail}");
    assert_eq!(problem.code().status(), 400);
    for word in words {
        assert!(detail.contains(word), "no «{word}» in «{detail}»");
    }
}

#[tokio::test]
async fn a_good_body_arrives() {
    let answer = post(r#"{"name": "a", "size": 3, "tags": {"k": "v"}, "colour": "red"}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["thing"]["tags"]["k"], "v");
    assert_eq!(answer.json()["caller"], "admin");
}

#[test]
fn what_is_not_json_is_told_where() {
    refused(b"", "invalid_json", &["empty", "{}"]);
    refused(b" \n\t ", "invalid_json", &["empty"]);
    refused(b"{", "invalid_json", &["line 1 column 1"]);
    refused(
        b"{\"name\": \"a\",\n \"size\": }",
        "invalid_json",
        &["line 2 column 10"],
    );
    refused(b"{\"name\": \"a\"} x", "invalid_json", &["trailing"]);
    refused(
        b"{\"name\": \"a\"}{\"name\": \"b\"}",
        "invalid_json",
        &["trailing"],
    );
    refused(b"{'name': 'a'}", "invalid_json", &["line 1 column 2"]);
    refused(b"{\"name\": \"a\",}", "invalid_json", &["trailing comma"]);
    refused(b"name=a", "invalid_json", &["line 1"]);
    refused(
        b"{\"name\": \"\xff\"}",
        "invalid_json",
        &["UTF-8", "offset 10"],
    );
    refused(
        b"\xef\xbb\xbf{\"name\": \"a\"}",
        "invalid_json",
        &["line 1 column 1"],
    );
    refused(br#"{"name": "\ud800"}"#, "invalid_json", &["line 1"]);
    refused(
        b"{\"name\": \"\x01\"}",
        "invalid_json",
        &["control character"],
    );
    refused(
        b"{\"name\": \"a\", \"size\": 1e999}",
        "invalid_json",
        &["number out of range"],
    );
}

#[test]
fn what_is_json_but_wrong_is_named() {
    refused(b"{}", "invalid_body", &["missing field `name`"]);
    refused(b"[]", "invalid_body", &["expected an object"]);
    refused(br#"["a"]"#, "invalid_body", &["expected an object"]);
    refused(
        br#" ["a", 3, {}, "red", []]"#,
        "invalid_body",
        &["expected an object"],
    );
    refused(b"null", "invalid_body", &["expected an object"]);
    refused(b"3", "invalid_body", &["expected an object"]);
    refused(
        br#"{"name": 3}"#,
        "invalid_body",
        &["field `name`", "integer `3`", "a string"],
    );
    refused(
        br#"{"name": null}"#,
        "invalid_body",
        &["field `name`", "null"],
    );
    refused(
        br#"{"name": "a", "size": "big"}"#,
        "invalid_body",
        &["field `size`", "a non-negative whole number"],
    );
    refused(
        br#"{"name": "a", "size": -1}"#,
        "invalid_body",
        &["field `size`", "-1"],
    );
    refused(
        br#"{"name": "a", "size": 1.5}"#,
        "invalid_body",
        &["field `size`", "1.5"],
    );
    refused(
        br#"{"name": "a", "colour": "green"}"#,
        "invalid_body",
        &["`colour`", "`green`", "`red`", "`blue`"],
    );
    refused(
        br#"{"name": "a", "tags": {"k": 1}}"#,
        "invalid_body",
        &["field `tags.k`"],
    );
    refused(
        br#"{"name": "a", "tags": []}"#,
        "invalid_body",
        &["field `tags`", "an object"],
    );
    refused(
        br#"{"name": "a", "parts": [{"weight": 1}, {"weight": "x"}]}"#,
        "invalid_body",
        &["field `parts[1].weight`"],
    );
    refused(
        br#"{"name": "a", "nmae": "b"}"#,
        "invalid_body",
        &["unknown field `nmae`", "`name`", "`tags`"],
    );
    refused(
        br#"{"name": "a", "parts": [{"weigth": 1}]}"#,
        "invalid_body",
        &["unknown field `weigth`", "`weight`"],
    );
}

#[test]
fn a_key_that_comes_twice_is_refused_at_any_depth() {
    refused(
        br#"{"name": "a", "name": "b"}"#,
        "invalid_body",
        &["duplicate field `name`"],
    );
    refused(
        br#"{"name": "a", "tags": {"k": "1", "k": "2"}}"#,
        "invalid_body",
        &["duplicate field `k`", "`tags"],
    );
    refused(
        br#"{"name": "a", "\u006eame": "b"}"#,
        "invalid_body",
        &["duplicate field `name`"],
    );
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for open in ["[", "{\"a\":"] {
        let body = open.repeat(MAX_BODY / open.len());
        refused(body.as_bytes(), "invalid_json", &["recursion limit"]);
    }
}

#[test]
fn a_long_value_is_not_repeated_whole() {
    let body = format!(r#"{{"name": "a", "colour": "{}"}}"#, "x".repeat(60_000));
    let problem = parse::<Thing>(body.as_bytes()).unwrap_err();
    assert!(problem.detail().chars().count() <= 1_001);
}

#[tokio::test]
async fn the_size_is_limited() {
    let fits = format!(r#"{{"name": "{}"}}"#, "x".repeat(MAX_BODY - 12));
    assert_eq!(fits.len(), MAX_BODY);
    assert_eq!(post(&fits).await.status, 200);
    let answer = post(&format!("{fits} ")).await;
    assert_eq!(answer.problem(413), "body_too_large");
    assert!(answer.detail().contains("65536"));
}

#[tokio::test]
async fn json_is_read_under_any_usual_name() {
    let app = app();
    let body = br#"{"name": "a"}"#;
    for name in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
        // What `curl -d` says of whatever it sends.
        "application/x-www-form-urlencoded",
    ] {
        let event = GatewayEvent::new("POST", "/things")
            .header("content-type", name)
            .bytes(body);
        assert_eq!(event.token(TOKEN).send(&app).await.status, 200, "{name}");
    }
    let unnamed = GatewayEvent::new("POST", "/things")
        .bytes(body)
        .token(TOKEN);
    assert_eq!(unnamed.send(&app).await.status, 200);
    for name in [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "nonsense",
        "text/json+json",
    ] {
        let event = GatewayEvent::new("POST", "/things")
            .header("content-type", name)
            .bytes(body);
        let answer = event.token(TOKEN).send(&app).await;
        assert_eq!(answer.problem(415), "unsupported_media_type", "{name}");
    }
}

#[tokio::test]
async fn no_body_is_an_empty_one() {
    let answer = GatewayEvent::new("POST", "/things")
        .token(TOKEN)
        .send(&app())
        .await;
    assert_eq!(answer.problem(400), "invalid_json");
}
