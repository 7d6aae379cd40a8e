//! The bearer token at the door.

use axum::body::Body;
use haulout_api::Conventions;
use haulout_tests::gateway::GatewayEvent;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::support::{TOKEN, app, routes};

#[tokio::test]
async fn without_a_token_nothing_but_the_public_routes_answers() {
    let app = app();
    for target in ["/things", "/things/7", "/fails", "/panics"] {
        let answer = GatewayEvent::get(target).send(&app).await;
        assert_eq!(answer.problem(401), "missing_token", "{target}");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"haulout\""
        );
    }
    let answer = GatewayEvent::post("/things", "{").send(&app).await;
    assert_eq!(
        answer.problem(401),
        "missing_token",
        "before the body is read"
    );
    assert_eq!(GatewayEvent::get("/health").send(&app).await.status, 200);
    assert_eq!(
        GatewayEvent::new("HEAD", "/health").send(&app).await.status,
        200
    );
}

#[tokio::test]
async fn the_token_opens() {
    let app = app();
    for value in [
        format!("Bearer {TOKEN}"),
        format!("bearer {TOKEN}"),
        format!("BEARER   {TOKEN}  "),
    ] {
        let event = GatewayEvent::get("/things").header("authorization", &value);
        assert_eq!(event.send(&app).await.status, 200, "{value}");
    }
}

#[tokio::test]
async fn anything_else_does_not() {
    let app = app();
    for value in [
        "",
        " ",
        "Bearer",
        "Bearer ",
        TOKEN,
        &format!("Basic {TOKEN}"),
        &format!("Bearer{TOKEN}"),
        &format!("Bearer\t{TOKEN}"),
        &format!("Bearer {TOKEN} x"),
        &format!("Bearer \"{TOKEN}\""),
        // Two headers, as API Gateway joins them.
        &format!("Bearer {TOKEN},Bearer {TOKEN}"),
        &format!("Bearer x, Bearer {TOKEN}"),
        &format!("Bearer {TOKEN}é"),
        &format!("Bearer ={TOKEN}"),
        "Bearer ===",
    ] {
        let event = GatewayEvent::get("/things").header("authorization", value);
        let answer = event.send(&app).await;
        assert_eq!(answer.problem(401), "invalid_token", "{value}");
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_request\""),
            "{value}"
        );
        assert!(!answer.text().contains(TOKEN));
    }
    for token in [
        "x",
        &format!("{TOKEN}x"),
        &format!("{TOKEN}="),
        &TOKEN[1..],
        &TOKEN.to_uppercase(),
        &"A".repeat(8_000),
    ] {
        let answer = GatewayEvent::get("/things").token(token).send(&app).await;
        assert_eq!(answer.problem(401), "invalid_token", "{token}");
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\""),
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_control_character_is_refused_before_the_door() {
    let event =
        GatewayEvent::get("/things").header("authorization", &format!("Bearer {TOKEN}\u{1}"));
    assert_eq!(event.send(&app()).await.problem(400), "invalid_header");
}

#[tokio::test]
async fn without_a_way_to_tell_callers_there_is_no_open_mode() {
    let app = haulout_api::app(routes(), Conventions::default());
    let answer = GatewayEvent::get("/things").token(TOKEN).send(&app).await;
    assert_eq!(answer.problem(401), "invalid_token");
    assert_eq!(GatewayEvent::get("/health").send(&app).await.status, 200);
}

#[tokio::test]
async fn a_header_that_comes_twice_is_refused_whichever_is_good() {
    for values in [[TOKEN, TOKEN], [TOKEN, "x"], ["x", TOKEN]] {
        let request = values
            .into_iter()
            .fold(Request::get("/things"), |request, token| {
                request.header("authorization", format!("Bearer {token}"))
            });
        let request = request.body(Body::empty()).unwrap();
        let Ok(answer) = app().oneshot(request).await;
        assert_eq!(answer.status(), 401, "{values:?}");
    }
}

#[tokio::test]
async fn a_role_opens_what_it_is_there_for() {
    let app = app();
    for (token, status) in [
        ("nobody", 403),
        ("reader", 403),
        ("ann", 200),
        ("operator", 200),
        (TOKEN, 200),
    ] {
        let event = GatewayEvent::post("/things", r#"{"name": "a"}"#).token(token);
        let answer = event.send(&app).await;
        assert_eq!(answer.status, status, "{token}: {}", answer.text());
        let signed_in = GatewayEvent::get("/things").token(token).send(&app).await;
        assert_eq!(signed_in.status, 200, "{token}");
    }
    let event = GatewayEvent::post("/things", "not even JSON").token("reader");
    let answer = event.send(&app).await;
    assert_eq!(answer.problem(403), "forbidden", "before the body is read");
    let detail = answer.detail();
    assert!(detail.contains("role user, operator or admin"), "{detail}");
}

#[tokio::test]
async fn a_route_that_nobody_wrote_down_is_closed_to_everybody() {
    let app = app();
    let answer = GatewayEvent::get("/forgotten").send(&app).await;
    assert_eq!(answer.problem(401), "missing_token");
    for token in [TOKEN, "operator", "ann"] {
        let event = GatewayEvent::get("/forgotten").token(token);
        assert_eq!(event.send(&app).await.problem(403), "forbidden", "{token}");
    }
}

#[tokio::test]
async fn whoever_registers_with_a_token_is_known_by_a_good_one_alone() {
    let app = app();
    let send = async |event: GatewayEvent| event.send(&app).await;
    let register = || GatewayEvent::post("/register", "{}");
    assert_eq!(send(register()).await.json()["caller"], Value::Null);
    let answer = send(register().token("ann")).await;
    assert_eq!(answer.json()["caller"], "ann");
    for value in ["Bearer x", "Basic x", ""] {
        let answer = send(register().header("authorization", value)).await;
        assert_eq!(answer.problem(401), "invalid_token", "{value}");
    }
    // Where nobody needs to be known, nobody is asked.
    let health = GatewayEvent::get("/health").header("authorization", "Bearer x");
    assert_eq!(send(health).await.status, 200);
}

#[tokio::test]
async fn where_a_request_comes_from_is_what_the_gateway_saw() {
    let event = GatewayEvent::get("/address")
        .token(TOKEN)
        .header("x-forwarded-for", "203.0.113.66");
    assert_eq!(event.send(&app()).await.text(), "192.0.2.1");
    let request = Request::get("/address")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Body::empty())
        .unwrap();
    let Ok(answer) = app().oneshot(request).await;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "unknown");
}
