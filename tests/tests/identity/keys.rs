//! The keys of tokens: published before they sign, changed with time, withdrawn with their secret.

use serde_json::Value;

use super::support::{KEYS, PASSWORD, SIGNING, Setup, Users};

const PERIOD_SECONDS: u64 = 30 * 24 * 60 * 60;

fn published(users: &Users) -> Vec<Value> {
    let keys: Value = serde_json::from_str(&users.vault.get(KEYS)).unwrap();
    keys["keys"].as_array().unwrap().clone()
}

async fn with_user() -> (Users, String) {
    let users = Users::start().await;
    users.registered("ann").await;
    let token = users.token("ann", PASSWORD).await;
    (users, token)
}

#[tokio::test]
async fn public_keys_are_published_once_and_nothing_else_of_them() {
    let (mut users, token) = with_user().await;
    let keys = published(&users);
    assert_eq!(keys.len(), 3);
    for key in &keys {
        assert_eq!(
            (&key["kty"], &key["crv"]),
            (&"OKP".into(), &"Ed25519".into())
        );
        assert!(key["d"].is_null(), "that would be the private side");
    }
    users.restart(Setup::default());
    users.token("ann", PASSWORD).await;
    users.jump(301);
    users.token("ann", PASSWORD).await;
    assert_eq!(users.vault.calls("PutSecretValue", KEYS), 1);
    assert_eq!(users.get("/me", &token).await.status, 200);
}

#[tokio::test]
async fn the_secret_is_read_every_five_minutes() {
    let (users, _) = with_user().await;
    let reads = || users.vault.calls("GetSecretValue", SIGNING);
    assert_eq!(reads(), 1);
    users.jump(299);
    users.token("ann", PASSWORD).await;
    assert_eq!(reads(), 1);
    users.jump(2);
    users.token("ann", PASSWORD).await;
    assert_eq!(reads(), 2);
}

#[tokio::test]
async fn a_new_secret_withdraws_all_tokens() {
    let (users, old) = with_user().await;
    users.vault.put(SIGNING, &"another long secret ".repeat(4));
    users.jump(301);
    let new = users.token("ann", PASSWORD).await;
    assert_eq!(users.get("/me", &new).await.status, 200);
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
    assert_eq!(published(&users).len(), 3);
}

#[tokio::test]
async fn keys_change_with_the_period_and_tokens_outlive_that() {
    let (users, _) = with_user().await;
    let now = users.world.clock.now().as_second().unsigned_abs();
    // A token of the last minute of a period.
    users.jump(PERIOD_SECONDS - now % PERIOD_SECONDS - 60);
    let old = users.token("ann", PASSWORD).await;
    let before = published(&users);
    users.jump(120);
    let new = users.token("ann", PASSWORD).await;
    let after = published(&users);
    assert_eq!(before[1..], after[..2]);
    for token in [old, new] {
        assert_eq!(users.get("/me", &token).await.status, 200);
    }
}

#[tokio::test]
async fn whatever_is_in_the_place_of_the_public_keys_is_replaced() {
    for junk in ["", "{}", "not json", r#"{"keys": []}"#] {
        let users = Users::start().await;
        users.registered("ann").await;
        users.vault.put(KEYS, junk);
        let token = users.token("ann", PASSWORD).await;
        assert_eq!(users.get("/me", &token).await.status, 200, "{junk}");
    }
}

#[tokio::test]
async fn a_bad_hour_of_the_vault_keeps_nobody_out_who_was_known_before() {
    let (mut users, _) = with_user().await;
    let _admin = users.token("root", PASSWORD).await;
    users.vault.close(true);
    users.jump(1_800);
    users.token("ann", PASSWORD).await;
    users.jump(1_900);
    assert_eq!(
        users.login("ann", PASSWORD).await.problem(503),
        "unavailable"
    );
    users.restart(Setup::default());
    assert_eq!(users.login("ann", PASSWORD).await.status, 503);
    users.vault.close(false);
    users.token("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_secret_that_could_be_guessed_signs_nothing() {
    let users = Users::start().await;
    users.registered("ann").await;
    users.vault.put(SIGNING, "short");
    assert_eq!(users.login("ann", PASSWORD).await.problem(500), "internal");
    assert_eq!(users.vault.get(KEYS), "");
}
