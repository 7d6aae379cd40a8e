//! Attempts with tokens that are none, not any more, or not where they belong.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use haulout_api::keys::SigningKeys;
use haulout_aws::clock::Clock;
use haulout_domain::identity::Claims;
use haulout_tests::client::Api;
use hmac::{Hmac, Mac as _};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use super::{Scene, logged_in};

/// Longer than a token is believed after its end.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) async fn that_are_none(scene: &mut Scene<'_>) {
    let good = scene.fixture.stack.addresses.admin_token.clone();
    for (what, token) in forged(&good) {
        let api = Api::new(scene.fixture.stack.addresses.api_url.clone(), Some(token));
        let answer = api.get("/users").await;
        scene.refused(what, &answer, 401, "invalid_token");
    }
    let stranger = scene.fixture.stranger();
    for (what, path, headers) in [
        ("no token", "/users".to_owned(), vec![]),
        ("in the query", format!("/users?token={good}"), vec![]),
        (
            "as a cookie",
            "/users".to_owned(),
            vec![("cookie", format!("token={good}"))],
        ),
        (
            "by name",
            "/users".to_owned(),
            vec![("x-amzn-user", "admin".to_owned())],
        ),
        (
            "basic",
            "/users".to_owned(),
            vec![("authorization", format!("Basic {good}"))],
        ),
    ] {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = stranger.send(Method::GET, &path, &headers, "").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        scene.tried += 1;
    }
    revoked(scene).await;
}

/// Tokens made of a good one without its key.
fn forged(good: &str) -> Vec<(&'static str, String)> {
    let mut parts = good.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (head, body, signature) = (part(), part(), part());
    let header: Value = decoded(&head);
    let unsigned = |alg: &str| encoded(&with(&header, "alg", &json!(alg)));
    let mut all = Vec::new();
    for alg in ["none", "None", "nOnE", ""] {
        all.push(("no algorithm", format!("{}.{body}.", unsigned(alg))));
        all.push((
            "no algorithm, signed",
            format!("{}.{body}.{signature}", unsigned(alg)),
        ));
    }
    // Whoever takes a public key for a shared secret signs with what everybody knows.
    let known = [header["kid"].as_str().unwrap_or_default(), "", "haulout"];
    for key in known {
        for alg in ["HS256", "EdDSA"] {
            let signed = format!("{}.{body}", unsigned(alg));
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key will do");
            mac.update(signed.as_bytes());
            let tag = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
            all.push(("key confusion", format!("{signed}.{tag}")));
        }
    }
    let claims: Claims = serde_json::from_value(decoded(&body)).expect("claims");
    let theirs = SigningKeys::derive(
        "the-secret-of-a-stranger-0123456789-0123456789",
        Clock::system().now(),
    );
    let foreign = theirs.sign(&claims).expect("a token");
    let rest = foreign.split_once('.').expect("three parts").1;
    all.push(("a stranger's key under our name", format!("{head}.{rest}")));
    all.push(("a stranger's key", foreign));
    for (field, value) in [
        (
            "jwk",
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        ),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
    ] {
        let header = encoded(&with(&header, field, &value));
        all.push(("a key of its own", format!("{header}.{body}.{signature}")));
    }
    let claimed: Value = decoded(&body);
    for (field, value) in [
        ("sub", json!("mallory")),
        ("exp", json!(4_000_000_000_u64)),
        ("iss", json!("other")),
    ] {
        let body = encoded(&with(&claimed, field, &value));
        all.push(("other claims", format!("{head}.{body}.{signature}")));
    }
    all.push((
        "half a signature",
        format!("{head}.{body}.{}", &signature[..signature.len() / 2]),
    ));
    all.push(("no signature", format!("{head}.{body}")));
    all
}

/// A token of somebody who has logged out.
async fn revoked(scene: &mut Scene<'_>) {
    let api = logged_in(scene.fixture, "mallory").await;
    assert_eq!(api.get("/me").await.status, 200);
    assert_eq!(api.post("/logout", &json!({})).await.status, 200);
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = api.get("/instances").await;
        if answer.status == 401 {
            return scene.refused("a token that was revoked", &answer, 401, "invalid_token");
        }
        assert!(Instant::now() < end, "it still opens: {}", answer.text);
        sleep(Duration::from_millis(500)).await;
    }
}

fn decoded(part: &str) -> Value {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn with(object: &Value, field: &str, value: &Value) -> Value {
    let mut object = object.clone();
    object[field] = value.clone();
    object
}
