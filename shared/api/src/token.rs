//! The deployment's bearer token, as Secrets Manager holds it. It is fetched at the first request that needs it and
//! kept, so that a request costs no call. A token that does not match is a reason to look again (the secret may
//! have been rotated), but not each time: who guesses tokens must not make us call AWS for every guess.

use std::{error::Error, pin::Pin};

use haulout_aws::{
    clock::Clock,
    error::AwsError,
    secrets::{Secret, Secrets},
    telemetry::error_chain,
};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use crate::auth::{AuthError, Authenticate, Caller, is_bearer_token};

/// The shortest time between two fetches.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// After this a kept token is fetched again, so that a withdrawn one stops working everywhere.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// A kept token that could not be fetched again is good for this long: Secrets Manager's bad minutes are not ours.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// Shorter secrets are refused: they could be guessed.
const MIN_TOKEN: usize = 16;

/// Where the token comes from.
pub trait TokenSource: Send + Sync + 'static {
    /// Its current value.
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Secret, AwsError>> + Send + '_>>;
}

/// A secret in Secrets Manager.
#[derive(Debug)]
pub(crate) struct SecretsManager {
    pub(crate) secrets: Secrets,
    pub(crate) secret_id: String,
}

impl TokenSource for SecretsManager {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Secret, AwsError>> + Send + '_>> {
        Box::pin(self.secrets.get(&self.secret_id))
    }
}

/// What the secret holds cannot be a token.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret does not hold a bearer token: put at least {MIN_TOKEN} letters, digits or -._~+/ into it"
)]
struct NotAToken;

/// No token is known, and the last fetch was too short a time ago to try again.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be fetched a moment ago")]
struct NotYet;

type Fingerprint = [u8; 32];

/// Accepts the one token of its source, as the caller `admin`.
pub(crate) struct OneToken<S> {
    source: S,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    token: Option<(Fingerprint, Timestamp)>,
    last_try: Option<Timestamp>,
}

impl<S: TokenSource> OneToken<S> {
    pub(crate) fn new(source: S, clock: Clock) -> Self {
        Self {
            source,
            clock,
            kept: Mutex::default(),
        }
    }

    async fn check(&self, token: &str) -> Result<Caller, AuthError> {
        let presented = fingerprint(token);
        // Held over the fetch: requests that come meanwhile wait for it instead of fetching too.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(current) = kept.within(FRESH, now)
            && matches(&current, &presented)
        {
            return Ok(Caller::admin());
        }
        let mut failure = None;
        if kept.may_try(now) {
            kept.last_try = Some(now);
            match self.fetch().await {
                Ok(token) => kept.token = Some((token, now)),
                Err(error) => failure = Some(error),
            }
        }
        let Some(current) = kept.within(STALE, now) else {
            return Err(AuthError::Unavailable(
                failure.unwrap_or_else(|| NotYet.into()),
            ));
        };
        if let Some(error) = failure {
            tracing::warn!(
                error = error_chain(&*error),
                "the token could not be fetched again; the one known goes on"
            );
        }
        if matches(&current, &presented) {
            Ok(Caller::admin())
        } else {
            Err(AuthError::Rejected)
        }
    }

    async fn fetch(&self) -> Result<Fingerprint, Box<dyn Error + Send + Sync>> {
        let secret = self.source.fetch().await?;
        let token = secret.expose().trim();
        if token.len() < MIN_TOKEN || !is_bearer_token(token) {
            return Err(NotAToken.into());
        }
        Ok(fingerprint(token))
    }
}

impl<S: TokenSource> Authenticate for OneToken<S> {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>> {
        Box::pin(self.check(token))
    }
}

impl Kept {
    /// The token, when it was fetched no longer ago than this. A clock that was set back makes it old, not young.
    fn within(&self, age: SignedDuration, now: Timestamp) -> Option<Fingerprint> {
        self.token
            .filter(|(_, fetched)| {
                (SignedDuration::ZERO..=age).contains(&now.duration_since(*fetched))
            })
            .map(|(token, _)| token)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        self.last_try.is_none_or(|last| {
            !(SignedDuration::ZERO..MIN_INTERVAL).contains(&now.duration_since(last))
        })
    }
}

/// Tokens are compared by digest, so that neither length nor content shows in the time it takes.
fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}

fn matches(one: &Fingerprint, other: &Fingerprint) -> bool {
    one.ct_eq(other).into()
}
