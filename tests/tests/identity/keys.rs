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
        users.vault.put(KEYS, junk);
        users.registered("ann").await;
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
    users.jump(5);
    users.token("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_vault_that_fails_is_not_asked_by_every_request() {
    let (users, token) = with_user().await;
    assert_eq!(users.get("/me", &token).await.status, 200);
    users.vault.close(true);
    users.jump(301);
    let reads = || users.vault.calls("GetSecretValue", SIGNING);
    let before = reads();
    users.token("ann", PASSWORD).await;
    let once = reads();
    assert!(once > before);
    for _ in 0..5 {
        users.token("ann", PASSWORD).await;
        assert_eq!(users.get("/me", &token).await.status, 200);
    }
    assert_eq!(reads(), once);
}

#[tokio::test]
async fn while_one_login_waits_for_the_vault_others_go_on() {
    let (users, _) = with_user().await;
    let reads = || users.vault.calls("GetSecretValue", SIGNING);
    users.jump(301);
    users.vault.block(SIGNING);
    let before = reads();
    let others = async {
        users.vault.was_asked().await;
        for _ in 0..3 {
            // Would wait for ever otherwise.
            users.token("ann", PASSWORD).await;
        }
        users.vault.unblock();
    };
    let (first, ()) = tokio::join!(users.login("ann", PASSWORD), others);
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(reads() - before, 1);
}

#[tokio::test]
async fn a_new_secret_counts_soon_though_nobody_logs_in() {
    let (users, token) = with_user().await;
    users.vault.put(SIGNING, &"another long secret ".repeat(4));
    users.jump(301);
    // The old keys are those that are known still; this request brings the new ones about.
    users.get("/me", &token).await;
    users.jump(301);
    assert_eq!(users.get("/me", &token).await.problem(401), "invalid_token");
    let writes = users.vault.calls("PutSecretValue", KEYS);
    assert_eq!(writes, 2);
}

#[tokio::test]
async fn a_secret_that_could_be_guessed_signs_nothing() {
    let users = Users::start().await;
    users.vault.put(SIGNING, "short");
    users.registered("ann").await;
    users.jump(5);
    assert_eq!(users.login("ann", PASSWORD).await.problem(500), "internal");
    assert_eq!(users.vault.get(KEYS), "");
}
