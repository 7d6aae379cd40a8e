//! What somebody may try who wants in.

use std::time::Duration;

use axum::body::Body;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use haulout_api::keys::SigningKeys;
use haulout_aws::directory::Changed;
use haulout_domain::{
    access::Role,
    identity::{User, UserChange},
};
use haulout_tests::{call::Refusal, faults::Trouble, gateway::GatewayEvent};
use hmac::{Hmac, Mac};
use http::Request;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

use super::support::{House, ISSUER, SECRET};

pub(super) fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Header and claims of a token.
pub(super) fn read(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

/// The first of the keys that are published.
fn jwk(house: &House, kid: &Value) -> Value {
    let jwks = SigningKeys::derive(SECRET, house.now()).jwks();
    let set: Value = serde_json::from_str(&jwks).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == *kid).unwrap().clone()
}

pub(super) async fn is_refused(house: &House, token: &str, what: &str) {
    let answer = house.me(token).await;
    assert_eq!(answer.problem(401), "invalid_token", "{what}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\""), "{what}");
}

#[tokio::test]
async fn a_token_without_a_signature_is_none() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::Admin]).await;
    let (header, claims) = read(&good);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": alg, "kid": header["kid"], "typ": "JWT"});
        let unsigned = format!("{}.{}", part(&header), part(&claims));
        for token in [
            format!("{unsigned}."),
            unsigned.clone(),
            format!("{unsigned}.{}", good.rsplit_once('.').unwrap().1),
        ] {
            is_refused(&house, &token, alg).await;
        }
    }
    assert_eq!(house.me(&good).await.status, 204);
}

#[tokio::test]
async fn what_is_published_signs_nothing() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::Admin]).await;
    let (header, claims) = read(&good);
    let jwk = jwk(&house, &header["kid"]);
    let x = jwk["x"].as_str().unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(x).unwrap();
    let set = SigningKeys::derive(SECRET, house.now()).jwks();
    let text = jwk.to_string();
    let keys: [&[u8]; 4] = [&bytes, x.as_bytes(), text.as_bytes(), set.as_bytes()];
    for key in keys {
        for alg in ["HS256", "EdDSA"] {
            let header = json!({"alg": alg, "kid": header["kid"], "typ": "JWT"});
            let signed = format!("{}.{}", part(&header), part(&claims));
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(signed.as_bytes());
            let signature = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
            is_refused(&house, &format!("{signed}.{signature}"), alg).await;
        }
    }
}

#[tokio::test]
async fn a_strangers_key_or_issuer_opens_nothing() {
    let house = House::start().await;
    let user = house.user("ann", &[Role::Admin]).await;
    let session = house.session(&user).await;
    let claims = session.claims(ISSUER);
    let stranger = SigningKeys::derive(
        "the-secret-of-a-stranger-0123456789-0123456789",
        house.now(),
    );
    let theirs = stranger.sign(&claims).unwrap();
    is_refused(&house, &theirs, "a stranger's key").await;
    // The same under the name of ours.
    let (header, _) = read(&house.token(&session));
    let rest = theirs.split_once('.').unwrap().1;
    let renamed = format!("{}.{rest}", part(&header));
    is_refused(&house, &renamed, "a stranger's signature").await;
    for issuer in ["", "haulout-staging", "HAULOUT"] {
        let token = house.sign(&session.claims(issuer));
        is_refused(&house, &token, issuer).await;
    }
    assert_eq!(house.me(&house.token(&session)).await.status, 204);
}

#[tokio::test]
async fn nobody_writes_into_a_token() {
    let house = House::start().await;
    house.user("admin", &[Role::Admin]).await;
    let good = house.log_in("ann", &[Role::Reader]).await;
    let (header, claims) = read(&good);
    let signature = good.rsplit_once('.').unwrap().1;
    for (field, value) in [
        ("sub", json!("admin")),
        ("exp", json!(4_000_000_000_u64)),
        ("jti", json!("01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d")),
        ("roles", json!(["admin"])),
    ] {
        let mut claims = claims.clone();
        claims[field] = value;
        let token = format!("{}.{}.{signature}", part(&header), part(&claims));
        is_refused(&house, &token, field).await;
    }
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        is_refused(&house, &String::from_utf8(bytes).unwrap(), "a byte").await;
    }
    // Roles that a token claims are not looked at either.
    let event = GatewayEvent::new("POST", "/drain").token(&good);
    assert_eq!(house.send(event).await.problem(403), "forbidden");
}

#[tokio::test]
async fn one_header_counts_and_two_are_none() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::User]).await;
    for value in [
        format!("Bearer {good},Bearer {good}"),
        format!("Bearer x, Bearer {good}"),
        format!("Bearer {good}, Bearer x"),
        format!("Bearer {good} {good}"),
        format!("Basic {good}"),
        good.clone(),
    ] {
        let event = GatewayEvent::get("/me").header("authorization", &value);
        assert_eq!(house.send(event).await.problem(401), "invalid_token");
    }
    for values in [[&*good, &*good], ["x", &*good], [&*good, "x"]] {
        let request = values
            .into_iter()
            .fold(Request::get("/me"), |request, token| {
                request.header("authorization", format!("Bearer {token}"))
            });
        let request = request.body(Body::empty()).unwrap();
        let Ok(answer) = house.app.clone().oneshot(request).await;
        assert_eq!(answer.status(), 401);
    }
    // Nor does a query or a cookie.
    let event = GatewayEvent::get(&format!("/me?access_token={good}"))
        .header("cookie", &format!("token={good}"));
    assert_eq!(house.send(event).await.problem(401), "missing_token");
}

#[tokio::test]
async fn a_revoked_token_ends_within_thirty_seconds() {
    for has_trouble in [false, true] {
        let house = House::start().await;
        let user = house.user("ann", &[Role::User]).await;
        let session = house.session(&user).await;
        let token = house.token(&session);
        assert_eq!(house.me(&token).await.status, 204);
        house.directory.end_session(&session.jti).await.unwrap();
        if has_trouble {
            house.break_down("BatchGetItem", Trouble::Refused(Refusal::ServerError));
        }
        let mut last_good = 0;
        for second in 1..=40 {
            house.world.jump(Duration::from_secs(1));
            match house.me(&token).await.status {
                204 => last_good = second,
                status => assert_eq!(status, if has_trouble { 503 } else { 401 }),
            }
        }
        assert!(last_good <= 30, "good for {last_good} s");
        // Another sandbox, or one that was not asked yet, knows at once.
    }
}

#[tokio::test]
async fn tokens_of_a_user_who_is_gone_are_worth_nothing() {
    let house = House::start().await;
    let admin = house.user("admin", &[Role::Admin]).await;
    let user = house.user("ann", &[Role::Admin]).await;
    let token = house.token(&house.session(&user).await);
    let unused = house.token(&house.session(&user).await);
    assert_eq!(house.me(&token).await.status, 204);
    delete(&house, &user, &admin).await;
    is_refused(&house, &unused, "of a deleted user").await;
    house.world.jump(Duration::from_secs(16));
    is_refused(&house, &token, "of a deleted user, known before").await;
    // Somebody else takes the name.
    house.user("ann", &[Role::User]).await;
    house.world.jump(Duration::from_secs(16));
    is_refused(&house, &token, "of an earlier user").await;
    is_refused(&house, &unused, "of an earlier user").await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_within_seconds_without_a_new_token() {
    let house = House::start().await;
    let user = house.user("ann", &[Role::Admin]).await;
    let token = house.token(&house.session(&user).await);
    let drain = || GatewayEvent::new("POST", "/drain").token(&token);
    assert_eq!(house.send(drain()).await.status, 204);
    let change = UserChange {
        roles: Some([Role::User].into()),
        ..UserChange::default()
    };
    let changed = user.changed(change, house.now()).unwrap();
    house.directory.update_user(&changed).await.unwrap();
    house.world.jump(Duration::from_secs(16));
    assert_eq!(house.send(drain()).await.problem(403), "forbidden");
    assert_eq!(house.me(&token).await.status, 204);
}

#[tokio::test]
async fn a_new_secret_withdraws_all_tokens() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::User]).await;
    assert_eq!(house.me(&token).await.status, 204);
    house.publish("the-secret-after-the-first-one-0123456789");
    house.world.jump(Duration::from_secs(301));
    is_refused(&house, &token, "of a withdrawn key").await;
}

async fn delete(house: &House, user: &User, admin: &User) {
    let deleted = house
        .directory
        .delete_user(user, &admin.username, house.now())
        .await;
    assert_eq!(deleted.unwrap(), Changed::Yes);
}
