//! How keys are fetched, kept and lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use haulout_domain::identity::Claims;

use crate::{
    keys::{SigningKeys, TokenError},
    token_tests::{ISSUER, SECRET, START, Vault, try_with},
};

#[tokio::test]
async fn new_keys_are_found_at_once_and_withdrawn_ones_stop_within_five_minutes() {
    let (vault, tokens) = Vault::start();
    let (old, session) = vault.log_in("ann");
    try_with(&tokens, &old).await.unwrap();
    vault.pass(60);
    let other = "the-secret-after-the-first-one-0123456789";
    vault.publish(Some(other));
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "ann".parse().unwrap(),
        jti: session,
        iat: START,
        exp: START + 36_000,
    };
    // Nobody has used the new ones yet.
    vault.pass(239);
    try_with(&tokens, &old).await.unwrap();
    let new = SigningKeys::derive(other, vault.now())
        .sign(&claims)
        .unwrap();
    assert!(try_with(&tokens, &new).await.is_ok(), "at once");
    let refused = try_with(&tokens, &old).await;
    assert_eq!(refused, Err(Some(TokenError::UnknownKey)));

    let (vault, tokens) = Vault::start();
    let (old, _) = vault.log_in("ann");
    try_with(&tokens, &old).await.unwrap();
    vault.publish(Some(other));
    vault.pass(300);
    assert!(try_with(&tokens, &old).await.is_ok());
    vault.pass(1);
    let refused = try_with(&tokens, &old).await;
    assert_eq!(refused, Err(Some(TokenError::UnknownKey)));
}

#[tokio::test]
async fn who_makes_up_tokens_does_not_make_us_ask_each_time() {
    let (vault, tokens) = Vault::start();
    let stranger = SigningKeys::derive("another-secret-of-a-stranger-0123456789", vault.now());
    let (_, session) = vault.log_in("ann");
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "ann".parse().unwrap(),
        jti: session,
        iat: START,
        exp: START + 36_000,
    };
    let forged = stranger.sign(&claims).unwrap();
    for _ in 0..20 {
        for _ in 0..5 {
            let refused = try_with(&tokens, &forged).await;
            assert_eq!(refused, Err(Some(TokenError::UnknownKey)));
        }
        vault.pass(1);
    }
    assert_eq!(vault.calls(), (4, 0), "20 seconds, one fetch in 5");
}

#[tokio::test]
async fn out_of_reach_nobody_comes_in_until_keys_are_there() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    for unreadable in [None, Some("no keys at all".to_owned())] {
        *vault.jwks.lock().unwrap() = unreadable;
        for _ in 0..10 {
            assert_eq!(try_with(&tokens, &token).await, Err(None));
        }
        assert_eq!(vault.calls(), (1, 0));
        vault.pass(5);
    }
    vault.publish(Some(SECRET));
    assert!(try_with(&tokens, &token).await.is_ok());
}

#[tokio::test]
async fn known_keys_outlive_an_hour_of_trouble_and_no_more() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    try_with(&tokens, &token).await.unwrap();
    vault.publish(None);
    vault.pass(3_600);
    assert!(try_with(&tokens, &token).await.is_ok());
    vault.pass(10);
    assert_eq!(try_with(&tokens, &token).await, Err(None));
}

#[tokio::test]
async fn a_clock_that_jumps_back_does_not_lock_anybody_out() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    try_with(&tokens, &token).await.unwrap();
    vault.pass(-100_000);
    assert!(try_with(&tokens, &token).await.is_ok());
}

#[tokio::test]
async fn requests_that_come_together_share_a_fetch_of_the_keys() {
    let (vault, tokens) = Vault::start();
    let tokens = Arc::new(tokens);
    let (token, _) = vault.log_in("ann");
    let together: Vec<_> = (0..16)
        .map(|_| {
            let (tokens, token) = (Arc::clone(&tokens), token.clone());
            tokio::spawn(async move { try_with(&tokens, &token).await.is_ok() })
        })
        .collect();
    for task in together {
        assert!(task.await.unwrap());
    }
    assert_eq!(vault.calls().0, 1);
}

#[tokio::test]
async fn a_store_that_hangs_is_waited_for_once_in_a_while_and_known_keys_go_on() {
    let (vault, tokens) = Vault::start();
    let tokens = tokens.with_patience(Duration::ZERO);
    let (token, _) = vault.log_in("ann");
    try_with(&tokens, &token).await.unwrap();
    vault.is_shut.store(true, Ordering::SeqCst);
    vault.pass(301);
    vault.calls();
    for second in 0..60 {
        for _ in 0..3 {
            assert!(try_with(&tokens, &token).await.is_ok(), "second {second}");
        }
        vault.pass(1);
    }
    assert_eq!(vault.calls().0, 12, "a minute, one fetch in 5 seconds");
    // Not for longer than keys are good that cannot be fetched again.
    vault.pass(3_300);
    assert_eq!(try_with(&tokens, &token).await, Err(None));
    assert_eq!(try_with(&tokens, &token).await, Err(None));
    assert_eq!(vault.calls().0, 1);
}

#[tokio::test]
async fn a_fetch_that_takes_long_to_fail_is_not_begun_again_at_once() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    try_with(&tokens, &token).await.unwrap();
    vault.publish(None);
    vault.slowness.store(25, Ordering::SeqCst);
    vault.pass(301);
    vault.calls();
    for _ in 0..10 {
        assert!(try_with(&tokens, &token).await.is_ok());
    }
    assert_eq!(vault.calls().0, 1);
    vault.pass(5);
    assert!(try_with(&tokens, &token).await.is_ok());
    assert_eq!(vault.calls().0, 1);
}

#[tokio::test]
async fn while_one_request_fetches_others_go_on_with_the_keys_they_know() {
    let (vault, tokens) = Vault::start();
    let tokens = Arc::new(tokens.with_patience(Duration::MAX));
    let (old, session) = vault.log_in("ann");
    try_with(&tokens, &old).await.unwrap();
    let next = "the-secret-after-the-first-one-0123456789";
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "ann".parse().unwrap(),
        jti: session,
        iat: START,
        exp: START + 36_000,
    };
    let new = SigningKeys::derive(next, vault.now())
        .sign(&claims)
        .unwrap();
    vault.is_shut.store(true, Ordering::SeqCst);
    vault.pass(301);
    vault.calls();
    let begin = |token: &str| {
        let (tokens, token) = (Arc::clone(&tokens), token.to_owned());
        tokio::spawn(async move { try_with(&tokens, &token).await })
    };
    let first = begin(&old);
    vault.came.notified().await;
    for _ in 0..10 {
        // Would wait for ever otherwise: the gate is shut.
        assert!(try_with(&tokens, &old).await.is_ok());
        assert!(matches!(try_with(&tokens, "x.y.z").await, Err(Some(_))));
    }
    // Whose key is not known waits for the same fetch, and is then as good as any.
    let second = begin(&new);
    tokio::task::yield_now().await;
    vault.publish(Some(next));
    vault.gate.notify_one();
    let withdrawn = first.await.unwrap();
    assert_eq!(withdrawn, Err(Some(TokenError::UnknownKey)));
    assert!(second.await.unwrap().is_ok());
    assert_eq!(vault.calls().0, 1);
}
