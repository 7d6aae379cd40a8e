//! API Gateway's events, and what callers can put into them.

use haulout_api::gateway::Event;
use haulout_tests::gateway::GatewayEvent;
use serde_json::json;

use super::support::{TOKEN, app};

#[tokio::test]
async fn a_decoded_path_is_encoded_again() {
    let app = app();
    for (raw, text) in [
        ("a b", "a b"),
        ("a#b", "a#b"),
        ("a<b>\"{}|\\^`", "a<b>\"{}|\\^`"),
        ("walrus-ü-海象", "walrus-ü-海象"),
        ("100%", "100%"),
        ("100%zz", "100%zz"),
        ("a\u{1}\n\u{7f}b", "a\u{1}\n\u{7f}b"),
        // What is encoded already is not encoded twice.
        ("a%20b", "a b"),
    ] {
        let event = GatewayEvent::get(&format!("/echo/{raw}")).token(TOKEN);
        let answer = event.send(&app).await;
        assert_eq!(answer.status, 200, "{raw}: {}", answer.text());
        assert_eq!(answer.json()["text"], text);
    }
}

#[tokio::test]
async fn a_question_mark_in_the_path_starts_no_query() {
    let mut event = GatewayEvent::get("/echo/x").token(TOKEN).event();
    event["rawPath"] = "/things?limit=1".into();
    let event: Event = serde_json::from_value(event).unwrap();
    let reply = haulout_api::gateway::answer(app(), event).await;
    assert_eq!(serde_json::to_value(reply).unwrap()["statusCode"], 404);
}

#[tokio::test]
async fn a_query_that_is_no_query_is_a_400() {
    let app = app();
    for query in [
        "<>",
        "\"",
        " ",
        "limit=1#x",
        "a=\u{1}",
        "ü",
        "%",
        "%zz",
        "[]{}|\\^`",
    ] {
        let event = GatewayEvent::get(&format!("/things?{query}")).token(TOKEN);
        assert_eq!(event.send(&app).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn nothing_in_the_headers_is_trusted() {
    let app = app();
    for host in [
        "",
        "not a host",
        "[",
        "a:b:c",
        "é",
        "haulout.example/../x",
        "%",
    ] {
        let event = GatewayEvent::get("/things")
            .token(TOKEN)
            .header("host", host);
        assert_eq!(event.send(&app).await.status, 200, "{host}");
    }
    let event = GatewayEvent::get("/things")
        .token(TOKEN)
        .header("x-forwarded-proto", "://");
    assert_eq!(event.send(&app).await.status, 200);
    for (name, value) in [
        ("idempotency-key", "a\nb"),
        ("", "x"),
        ("a b", "x"),
        ("x", "a\0b"),
    ] {
        let answer = GatewayEvent::get("/things")
            .token(TOKEN)
            .header(name, value)
            .send(&app)
            .await;
        assert_eq!(answer.problem(400), "invalid_header", "{name}: {value}");
    }
}

#[tokio::test]
async fn broken_base64_and_methods_are_a_400() {
    let app = app();
    let mut event = GatewayEvent::post("/things", "").token(TOKEN).event();
    event["isBase64Encoded"] = true.into();
    event["body"] = "***".into();
    let reply =
        haulout_api::gateway::answer(app.clone(), serde_json::from_value(event).unwrap()).await;
    assert_eq!(serde_json::to_value(reply).unwrap()["statusCode"], 400);
    for method in ["", "GE T", "GÉT"] {
        let answer = GatewayEvent::new(method, "/things").send(&app).await;
        assert_eq!(answer.problem(400), "invalid_request", "{method}");
    }
}

#[tokio::test]
async fn a_missing_request_id_is_made_up() {
    let mut event = GatewayEvent::get("/nowhere").event();
    event["requestContext"]
        .as_object_mut()
        .unwrap()
        .remove("requestId");
    let reply = haulout_api::gateway::answer(app(), serde_json::from_value(event).unwrap()).await;
    let reply = serde_json::to_value(reply).unwrap();
    let id = reply["headers"]["x-request-id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert!(reply["body"].as_str().unwrap().contains(id));
}

#[test]
fn other_events_are_not_mistaken_for_requests() {
    for event in [
        json!({}),
        json!({"source": "haulout.schedule"}),
        json!([]),
        json!({"version": "1.0", "path": "/things", "httpMethod": "GET"}),
    ] {
        assert!(
            serde_json::from_value::<Event>(event.clone()).is_err(),
            "{event}"
        );
    }
}
