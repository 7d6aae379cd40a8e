//! Keys and tokens: what is accepted, and what is not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use haulout_domain::{digest::sha256_hex, identity::Claims};
use hmac::{Hmac, Mac, digest::KeyInit};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::keys::{PublicKeys, SigningKeys, TokenError};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ISSUER: &str = "haulout";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn claims() -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        sub: "ann".parse().unwrap(),
        jti: "01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d".to_owned(),
        iat: now().as_second(),
        exp: now().as_second() + 36_000,
    }
}

fn keys() -> SigningKeys {
    SigningKeys::derive(SECRET, now())
}

fn public(keys: &SigningKeys) -> PublicKeys {
    PublicKeys::parse(&keys.jwks()).unwrap()
}

/// The published keys, the one that signs now being the second.
fn jwk(at: usize) -> Value {
    let set: Value = serde_json::from_str(&keys().jwks()).unwrap();
    set["keys"][at].clone()
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    public(&keys()).verify(token, ISSUER, now())
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": jwk(1)["kid"], "typ": "JWT"})
}

fn payload() -> Value {
    serde_json::to_value(claims()).unwrap()
}

/// A token that somebody else signs.
fn forged(header: &Value, payload: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", part(header), part(payload));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn hs256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn a_token_says_to_everybody_what_was_signed() {
    let token = keys().sign(&claims()).unwrap();
    assert_eq!(verify(&token), Ok(claims()));
    assert!(token.len() < 500, "{} bytes", token.len());
    // Two processes that share the secret sign alike.
    assert_eq!(keys().sign(&claims()).unwrap(), token);
}

/// RFC 8037, appendix A: its key, its token, and that key in a set.
#[test]
fn keys_are_read_and_signatures_checked_as_the_rfc_does() {
    let jwks = json!({"keys": [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "another type"},
        {"kty": "OKP", "crv": "X25519", "x": "none of ours", "kid": "another curve"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": ""},
    ]});
    let keys = PublicKeys::parse(&jwks.to_string()).unwrap();
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    // Its payload is no claims: what is behind the signature was reached.
    assert_eq!(
        keys.verify(token, ISSUER, now()),
        Err(TokenError::Malformed)
    );
    let tampered = token.replace("RXhh", "RXhi");
    assert_eq!(
        keys.verify(&tampered, ISSUER, now()),
        Err(TokenError::Signature)
    );
}

#[test]
fn keys_are_published_as_the_rfcs_want_them_and_without_their_secret() {
    let jwk = jwk(1);
    let fields: Vec<_> = jwk
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(
        (&jwk["kty"], &jwk["crv"], &jwk["alg"], &jwk["use"]),
        (
            &json!("OKP"),
            &json!("Ed25519"),
            &json!("EdDSA"),
            &json!("sig")
        )
    );
    let key = BASE64_URL_SAFE_NO_PAD
        .decode(jwk["x"].as_str().unwrap())
        .unwrap();
    let period = now().as_second() / 2_592_000;
    let id = format!("k{period}-{}", &sha256_hex(&key)[..8]);
    assert_eq!(jwk["kid"], id);
    assert_eq!(public(&keys()), public(&keys()));
}

#[test]
fn a_key_is_known_before_it_signs_and_as_long_as_its_tokens_hold() {
    for step in 0..=9 {
        let then = now() + days(10 * step);
        let token = SigningKeys::derive(SECRET, then)
            .sign(&Claims {
                exp: (then + days(100)).as_second(),
                ..claims()
            })
            .unwrap();
        for (reader, knows) in [
            (-30, true),
            (0, true),
            (30, true),
            (61, false),
            (-61, false),
        ] {
            let read = public(&SigningKeys::derive(SECRET, then + days(reader)));
            let expected = if knows {
                Ok(())
            } else {
                Err(TokenError::UnknownKey)
            };
            let found = read.verify(&token, ISSUER, then).map(|_| ());
            assert_eq!(found, expected, "day {}, read {reader} later", 10 * step);
        }
    }
}

#[test]
fn another_secret_makes_other_keys() {
    let others = SigningKeys::derive(&SECRET.replace('0', "1"), now());
    let token = others.sign(&claims()).unwrap();
    assert_eq!(verify(&token), Err(TokenError::UnknownKey));
    // Also under the name of one of ours.
    let stranger = SigningKey::from_bytes(&[7; 32]);
    let sign = |text: &[u8]| stranger.sign(text).to_bytes().to_vec();
    let token = forged(&header(), &payload(), sign);
    assert_eq!(verify(&token), Err(TokenError::Signature));
}

#[test]
fn a_token_has_no_say_in_how_it_is_checked() {
    let x = jwk(1)["x"].as_str().unwrap().to_owned();
    let public_key = BASE64_URL_SAFE_NO_PAD.decode(&x).unwrap();
    let with = |alg: &str| {
        let mut header = header();
        header["alg"] = json!(alg);
        header
    };
    // Whoever knows the public key, in any of its forms, as the key of a MAC.
    for key in [
        public_key.as_slice(),
        x.as_bytes(),
        jwk(1).to_string().as_bytes(),
    ] {
        for alg in ["HS256", "EdDSA"] {
            let token = forged(&with(alg), &payload(), |text| hs256(key, text));
            let refusal = verify(&token).unwrap_err();
            assert_ne!(refusal, TokenError::UnknownKey, "{alg}");
        }
    }
    for alg in [
        "none", "None", "NONE", "", "eddsa", "Ed25519", "RS256", "ES256",
    ] {
        for token in [
            forged(&with(alg), &payload(), |_| Vec::new()),
            forged(&with(alg), &payload(), |_| vec![0; 64]),
        ] {
            assert_eq!(verify(&token), Err(TokenError::Algorithm), "{alg}");
        }
    }
    // A key that the token brings along, or that is to be fetched from somewhere; a parameter that must be understood.
    let stranger = SigningKey::from_bytes(&[7; 32]);
    let own = BASE64_URL_SAFE_NO_PAD.encode(stranger.verifying_key().as_bytes());
    for (name, value) in [
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": own})),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/keys")),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
    ] {
        let mut header = header();
        header[name] = value;
        let sign = |text: &[u8]| stranger.sign(text).to_bytes().to_vec();
        let token = forged(&header, &payload(), sign);
        assert_eq!(verify(&token), Err(TokenError::Malformed), "{name}");
    }
}

#[test]
fn nothing_of_a_token_can_be_changed() {
    let token = keys().sign(&claims()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    for (field, value) in [
        ("sub", json!("admin")),
        ("exp", json!(claims().exp + 1)),
        ("jti", json!("another")),
        ("roles", json!(["admin"])),
    ] {
        let mut payload = payload();
        payload[field] = value;
        let tampered = format!("{}.{}.{}", parts[0], part(&payload), parts[2]);
        assert_eq!(verify(&tampered), Err(TokenError::Signature), "{field}");
    }
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).unwrap();
        assert!(verify(&tampered).is_err(), "byte {at}");
        assert!(verify(&token[..at]).is_err(), "cut at {at}");
    }
    for malformed in [
        "",
        ".",
        "..",
        "...",
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}="),
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{}.{}.{}.{}", parts[0], parts[1], parts[1], parts[2]),
        &"A".repeat(100_000),
    ] {
        assert!(verify(malformed).is_err(), "{malformed:.40}");
    }
}

#[test]
fn a_token_counts_for_its_issuer_and_its_time_alone() {
    let token = keys().sign(&claims()).unwrap();
    let keys = public(&keys());
    let end = Timestamp::from_second(claims().exp).unwrap();
    let before = end - SignedDuration::from_secs(1);
    assert_eq!(keys.verify(&token, ISSUER, before), Ok(claims()));
    assert_eq!(keys.verify(&token, ISSUER, end), Err(TokenError::Expired));
    for issuer in ["", "haulout2", "Haulout"] {
        let found = keys.verify(&token, issuer, now());
        assert_eq!(found, Err(TokenError::Issuer), "{issuer}");
    }
}

#[test]
fn what_is_not_a_set_of_keys_is_refused() {
    assert_eq!(
        PublicKeys::parse(r#"{"keys":[]}"#).unwrap(),
        PublicKeys::default()
    );
    let weak = BASE64_URL_SAFE_NO_PAD.encode([0; 32]);
    let key = |x: &str| json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k"}]});
    for text in [
        "",
        "a-token",
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        &key("").to_string(),
        &key("AAAA").to_string(),
        &key(&weak).to_string(),
    ] {
        assert!(PublicKeys::parse(text).is_err(), "{text}");
    }
}
