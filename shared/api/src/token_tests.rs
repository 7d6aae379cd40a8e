//! How sessions are looked up, kept and lost.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
};

use haulout_aws::{clock::Clock, secrets::Secret};
use haulout_domain::{
    access::Role,
    identity::{Claims, Session, User},
};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{
    auth::{AuthError, Authenticate, Caller},
    keys::{SigningKeys, TokenError},
    token::{Asked, TokenStore, Tokens},
};

pub(crate) const SECRET: &str = "a-secret-that-is-long-enough-for-the-tests-0123456789";
pub(crate) const ISSUER: &str = "haulout";
pub(crate) const START: i64 = 1_795_262_400;

/// Keys and sessions that can be changed, or out of reach; it counts who asks.
#[derive(Clone, Default)]
pub(crate) struct Vault {
    pub(crate) jwks: Arc<Mutex<Option<String>>>,
    pub(crate) sessions: Arc<Mutex<Option<BTreeMap<String, User>>>>,
    key_fetches: Arc<AtomicU32>,
    session_reads: Arc<AtomicU32>,
    seconds: Arc<AtomicI64>,
    /// How long a fetch of keys takes, and whether it ends.
    pub(crate) slowness: Arc<AtomicI64>,
    pub(crate) is_shut: Arc<AtomicBool>,
    /// A fetch has come to the shut gate; and may go on.
    pub(crate) came: Arc<Notify>,
    pub(crate) gate: Arc<Notify>,
}

impl TokenStore for Vault {
    fn published_keys(&self) -> Asked<'_, Secret> {
        Box::pin(async {
            self.key_fetches.fetch_add(1, Ordering::SeqCst);
            if self.is_shut.load(Ordering::SeqCst) {
                self.came.notify_one();
                self.gate.notified().await;
            }
            self.pass(self.slowness.load(Ordering::SeqCst));
            let jwks = self.jwks.lock().unwrap().clone();
            Ok(Secret::new(jwks.ok_or(io::Error::other("no keys"))?))
        })
    }

    fn user<'a>(&'a self, claims: &'a Claims, _: Timestamp) -> Asked<'a, Option<User>> {
        self.session_reads.fetch_add(1, Ordering::SeqCst);
        let sessions = self.sessions.lock().unwrap().clone();
        Box::pin(async move {
            let sessions = sessions.ok_or(io::Error::other("no sessions"))?;
            Ok(sessions.get(&claims.jti).cloned())
        })
    }
}

impl Vault {
    pub(crate) fn start() -> (Self, Tokens<Self>) {
        let vault = Self::default();
        vault.publish(Some(SECRET));
        *vault.sessions.lock().unwrap() = Some(BTreeMap::new());
        let time = vault.clone();
        let clock = Clock::from_fn(move || time.now());
        let tokens = Tokens::new(vault.clone(), ISSUER.to_owned(), clock);
        (vault, tokens)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(START + self.seconds.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Publishes the keys of a secret, or puts them out of reach.
    pub(crate) fn publish(&self, secret: Option<&str>) {
        let jwks = secret.map(|secret| SigningKeys::derive(secret, self.now()).jwks());
        *self.jwks.lock().unwrap() = jwks;
    }

    /// Logs somebody in: the token, and its session.
    pub(crate) fn log_in(&self, name: &str) -> (String, String) {
        let user = User::new(
            name.parse().unwrap(),
            String::new(),
            [Role::User].into(),
            ["staff".parse().unwrap()].into(),
            Some(3),
            self.now(),
        );
        let session = Session::new(&user, self.now());
        self.change(|sessions| {
            sessions.insert(session.jti.clone(), user);
        });
        (self.sign(&session.claims(ISSUER)), session.jti)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        SigningKeys::derive(SECRET, self.now())
            .sign(claims)
            .unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, User>)) {
        change(self.sessions.lock().unwrap().as_mut().unwrap());
    }

    /// Key fetches and session reads since this was asked last.
    pub(crate) fn calls(&self) -> (u32, u32) {
        (
            self.key_fetches.swap(0, Ordering::SeqCst),
            self.session_reads.swap(0, Ordering::SeqCst),
        )
    }
}

/// What came of a token, in short.
pub(crate) async fn try_with(
    tokens: &Tokens<Vault>,
    token: &str,
) -> Result<Caller, Option<TokenError>> {
    tokens
        .authenticate(token)
        .await
        .map_err(|error| match error {
            AuthError::Rejected(reason) => Some(reason),
            AuthError::Unavailable(_) => None,
        })
}

#[tokio::test]
async fn a_token_gives_its_user_as_the_directory_has_it() {
    let (vault, tokens) = Vault::start();
    let (token, session) = vault.log_in("ann");
    let caller = try_with(&tokens, &token).await.unwrap();
    let expected = Caller {
        name: "ann".to_owned(),
        roles: [Role::User].into(),
        groups: ["staff".parse().unwrap()].into(),
        quota: Some(3),
        session: Some(session.clone()),
    };
    assert_eq!(caller, expected);
    // Its roles are those of now, not of the login.
    vault.change(|sessions| {
        sessions.get_mut(&session).unwrap().roles = [Role::Reader].into();
    });
    vault.pass(16);
    let caller = try_with(&tokens, &token).await.unwrap();
    assert_eq!(caller.roles, [Role::Reader].into());
}

#[tokio::test]
async fn a_request_usually_costs_no_call_and_one_at_most_once_keys_are_known() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    try_with(&tokens, &token).await.unwrap();
    assert_eq!(vault.calls(), (1, 1), "the first in a sandbox");
    for second in 0..120 {
        try_with(&tokens, &token).await.unwrap();
        let (keys, sessions) = vault.calls();
        assert!(keys == 0 && sessions <= 1, "second {second}");
        vault.pass(1);
    }
    // Two minutes, asked each second: one read in 16 seconds.
    for _ in 0..120 {
        try_with(&tokens, &token).await.unwrap();
        vault.pass(1);
    }
    let (keys, sessions) = vault.calls();
    assert!(keys == 0 && (7..=8).contains(&sessions), "{sessions} reads");
}

#[tokio::test]
async fn a_revoked_token_ends_within_thirty_seconds_whatever_happens() {
    for out_of_reach in [false, true] {
        let (vault, tokens) = Vault::start();
        let (token, session) = vault.log_in("ann");
        try_with(&tokens, &token).await.unwrap();
        vault.change(|sessions| {
            sessions.remove(&session);
        });
        if out_of_reach {
            *vault.sessions.lock().unwrap() = None;
        }
        let mut last_good = 0;
        for second in 1..=40 {
            vault.pass(1);
            if try_with(&tokens, &token).await.is_ok() {
                last_good = second;
            }
        }
        assert_eq!(last_good, if out_of_reach { 30 } else { 15 });
        let expected = (!out_of_reach).then_some(TokenError::NoSession);
        assert_eq!(try_with(&tokens, &token).await, Err(expected));
    }
}

#[tokio::test]
async fn who_tries_a_revoked_token_again_and_again_costs_few_calls() {
    let (vault, tokens) = Vault::start();
    let (token, session) = vault.log_in("ann");
    vault.change(|sessions| {
        sessions.remove(&session);
    });
    for _ in 0..60 {
        let refused = try_with(&tokens, &token).await;
        assert_eq!(refused, Err(Some(TokenError::NoSession)));
        vault.pass(1);
    }
    assert_eq!(vault.calls(), (1, 4));
}

#[tokio::test]
async fn a_session_is_read_for_good_signatures_alone() {
    let (vault, tokens) = Vault::start();
    let (token, _) = vault.log_in("ann");
    let stranger = SigningKeys::derive("another-secret-of-a-stranger-0123456789", vault.now());
    let (_, session) = vault.log_in("bob");
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "bob".parse().unwrap(),
        jti: session,
        iat: START,
        exp: START + 36_000,
    };
    let forged = stranger.sign(&claims).unwrap();
    for token in ["x", "a.b.c", &forged, &token[1..], &format!("{token}A")] {
        assert!(try_with(&tokens, token).await.is_err(), "{token}");
    }
    assert_eq!(vault.calls().1, 0);
}

#[tokio::test]
async fn a_session_serves_its_own_user_alone() {
    let (vault, tokens) = Vault::start();
    let (_, session) = vault.log_in("ann");
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "admin".parse().unwrap(),
        jti: session,
        iat: START,
        exp: START + 36_000,
    };
    let refused = try_with(&tokens, &vault.sign(&claims)).await;
    assert_eq!(refused, Err(Some(TokenError::NoSession)));
}
