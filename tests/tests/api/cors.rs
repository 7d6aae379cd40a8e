//! Cross-origin requests.

use haulout_api::{Conventions, Cors};
use haulout_tests::gateway::{Answer, GatewayEvent};

use super::support::{TOKEN, app, routes};

const ORIGIN: &str = "https://console.example";

fn preflight(path: &str, origin: &str) -> GatewayEvent {
    GatewayEvent::new("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
}

fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_granted_without_a_token() {
    let answer = preflight("/things", ORIGIN).send(&app()).await;
    assert_eq!(answer.status, 204);
    assert!(answer.body.is_empty());
    assert_eq!(allowed(&answer), ORIGIN);
    let headers = answer.header("access-control-allow-headers");
    for header in ["authorization", "content-type", "idempotency-key", "prefer"] {
        assert!(headers.contains(header), "{header}");
    }
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains(method),
            "{method}"
        );
    }
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(answer.header("vary"), "origin");
}

#[tokio::test]
async fn another_origin_gets_nothing() {
    let app = app();
    for origin in [
        "https://evil.example",
        "https://console.example.evil.example",
        "http://console.example",
        "https://console.example:443",
        "HTTPS://CONSOLE.EXAMPLE",
        "https://console.example/",
        "null",
        "*",
        "",
        "é",
    ] {
        for event in [
            preflight("/things", origin),
            GatewayEvent::get("/things")
                .token(TOKEN)
                .header("origin", origin),
        ] {
            let answer = event.send(&app).await;
            assert_eq!(allowed(&answer), "", "{origin}");
            assert_eq!(answer.header("vary"), "origin", "{origin}");
        }
    }
}

#[tokio::test]
async fn a_page_may_read_every_answer_of_an_allowed_origin() {
    let app = app();
    for (event, status) in [
        (GatewayEvent::get("/things").token(TOKEN), 200),
        (GatewayEvent::get("/things"), 401),
        (GatewayEvent::get("/nowhere"), 404),
        (GatewayEvent::get("/panics").token(TOKEN), 500),
    ] {
        let answer = event.header("origin", ORIGIN).send(&app).await;
        assert_eq!(answer.status, status);
        assert_eq!(allowed(&answer), ORIGIN);
        for header in ["location", "retry-after", "x-request-id"] {
            assert!(
                answer
                    .header("access-control-expose-headers")
                    .contains(header),
                "{header}"
            );
        }
    }
}

#[tokio::test]
async fn options_without_a_preflight_tells_what_a_path_takes() {
    let app = app();
    let answer = GatewayEvent::new("OPTIONS", "/things")
        .header("origin", ORIGIN)
        .send(&app)
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("allow"), "POST,GET,HEAD");
    let answer = GatewayEvent::new("OPTIONS", "/nowhere").send(&app).await;
    assert_eq!(answer.problem(404), "unknown_path");
}

#[tokio::test]
async fn without_origins_there_is_no_cors() {
    let app = haulout_api::app(routes(), Conventions::default());
    let answer = preflight("/things", ORIGIN).send(&app).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("allow"), "POST,GET,HEAD");
    assert_eq!(allowed(&answer), "");
    assert_eq!(answer.header("vary"), "");
}

#[test]
fn an_entry_that_is_no_origin_is_refused() {
    for entry in [
        "*",
        "console.example",
        "https://",
        "https://console.example/",
        "https://Console.example",
        "https://*.example",
        "ftp://x",
        "https://a@b",
        "null",
        "https://a b",
        "https://é",
    ] {
        assert!(Cors::new([entry.to_owned()]).is_err(), "{entry}");
    }
    for entry in [
        "https://console.example",
        "http://localhost:5173",
        "http://127.0.0.1:8080",
        "http://[::1]:80",
    ] {
        assert!(Cors::new([entry.to_owned()]).is_ok(), "{entry}");
    }
}
