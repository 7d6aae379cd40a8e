//! What somebody may write into the header of a token, or of a request.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use haulout_domain::access::Role;
use haulout_tests::gateway::GatewayEvent;
use serde_json::{Value, json};

use super::{
    attacks::{is_refused, part, read},
    support::House,
};

#[tokio::test]
async fn a_header_that_names_its_own_key_or_another_way_is_none() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::Admin]).await;
    let (header, claims) = read(&good);
    let signature = good.rsplit_once('.').unwrap().1;
    let own = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": header["kid"],
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let changes = [
        ("alg", Value::Null),
        ("alg", json!(["EdDSA"])),
        ("alg", json!("eddsa")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("jwk", own.clone()),
        ("jku", json!("https://evil.example/keys.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("/proc/self/environ")),
        ("kid", json!("' UNION SELECT 'a'--")),
        ("kid", json!("$(id)")),
        ("kid", json!("https://evil.example/keys.json")),
        ("kid", json!("k0-00000000")),
        ("kid", json!("\u{0}")),
        ("kid", own),
        ("typ", json!("at+jwt")),
    ];
    for (name, value) in changes {
        let mut other = header.clone();
        other[name] = value.clone();
        let mut without = header.clone();
        without.as_object_mut().unwrap().remove(name);
        for header in [other, without] {
            if header == read(&good).0 {
                continue;
            }
            let signed = format!("{}.{}", part(&header), part(&claims));
            for signature in [signature, ""] {
                let token = format!("{signed}.{signature}");
                is_refused(&house, &token, &format!("{name}: {value}")).await;
            }
        }
    }
    // A parameter said twice: whoever reads the first and whoever reads the last see two tokens.
    let twice = r#"{"alg":"EdDSA","alg":"none","kid":"k","typ":"JWT"}"#;
    let twice = BASE64_URL_SAFE_NO_PAD.encode(twice);
    let token = format!("{twice}.{}.{signature}", part(&claims));
    is_refused(&house, &token, "a parameter twice").await;
    assert_eq!(house.me(&good).await.status, 204);
}

#[tokio::test]
async fn a_signature_counts_whole_or_not_at_all() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::User]).await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let of = |bytes: &[u8]| format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    for length in [0, 1, 31, 32, 63] {
        is_refused(&house, &of(&bytes[..length]), "cut short").await;
    }
    for more in [&[0][..], &bytes] {
        is_refused(&house, &of(&[&bytes, more].concat()), "too long").await;
    }
    is_refused(&house, &of(&[0; 64]), "of zeros").await;
    is_refused(
        &house,
        &of(&[&bytes[32..], &bytes[..32]].concat()),
        "turned round",
    )
    .await;
    for at in 1..signature.len() {
        let cut = format!("{signed}.{}", &signature[..at]);
        is_refused(&house, &cut, "cut as text").await;
    }
    is_refused(&house, &format!("{good}=="), "padded").await;
    assert_eq!(house.me(&good).await.status, 204);
}

#[tokio::test]
async fn the_scheme_has_no_case_and_opens_nothing_by_itself() {
    let house = House::start().await;
    let good = house.log_in("ann", &[Role::User]).await;
    let with = |value: &str| GatewayEvent::get("/me").header("authorization", value);
    // RFC 9110, section 11.1.
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = house.send(with(&format!("{scheme} {good}"))).await;
        assert_eq!(answer.status, 204, "{scheme}");
        for rest in [
            "",
            " ",
            " x",
            &format!("\t{good}"),
            &format!(":{good}"),
            &good,
        ] {
            let answer = house.send(with(&format!("{scheme}{rest}"))).await;
            assert_eq!(answer.problem(401), "invalid_token", "{scheme}{rest}");
        }
    }
    for scheme in [
        "Token",
        "JWT",
        "DPoP",
        "Bearer Bearer",
        "Bearer,",
        "\u{412}earer",
    ] {
        let answer = house.send(with(&format!("{scheme} {good}"))).await;
        assert!(matches!(answer.status, 400 | 401), "{scheme}");
    }
    for query in ["access_token", "token", "Authorization", "authorization"] {
        let event = GatewayEvent::get(&format!("/me?{query}=Bearer%20{good}"));
        assert_eq!(house.send(event).await.problem(401), "missing_token");
    }
    for header in ["x-authorization", "x-api-key", "x-forwarded-authorization"] {
        let event = GatewayEvent::get("/me").header(header, &format!("Bearer {good}"));
        assert_eq!(house.send(event).await.problem(401), "missing_token");
    }
}
