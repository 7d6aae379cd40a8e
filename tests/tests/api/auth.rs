//! The bearer token at the door.

use haulout_api::{Auth, Conventions};
use haulout_aws::clock::Clock;
use haulout_tests::gateway::GatewayEvent;

use super::support::{Fixed, TOKEN, app, routes};

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
async fn a_secret_that_is_no_token_opens_to_nobody() {
    for secret in [
        "",
        "short",
        "has spaces in its middle",
        "{\"token\": \"a-token-for-the-tests\"}",
    ] {
        let conventions = Conventions {
            auth: Some(Auth::source(Fixed(secret), Clock::system())),
            ..Conventions::default()
        };
        let app = haulout_api::app(routes(), conventions);
        for token in [secret.trim(), "a-token-for-the-tests", "short"] {
            let answer = GatewayEvent::get("/things").token(token).send(&app).await;
            assert!(matches!(answer.status, 401 | 503), "{secret}: {token}");
        }
    }
}
