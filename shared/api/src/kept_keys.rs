//! The public keys, kept between requests. A token whose key is not known is a reason to look again (there may be a new
//! one), but not each time: who makes up tokens must not make us call AWS for each.

use std::error::Error;

use haulout_aws::telemetry::error_chain;
use haulout_domain::identity::Claims;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{
    auth::AuthError,
    keys::{PublicKeys, TokenError},
    token::TokenStore,
};

/// The shortest time between two fetches.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// After this, kept keys are fetched again, so that a withdrawn one stops working everywhere.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Kept keys that could not be fetched again are good for this long: Secrets Manager's bad minutes are not ours.
const STALE: SignedDuration = SignedDuration::from_hours(1);

/// No key is known, and the last fetch was too short a time ago to try again.
#[derive(Debug, thiserror::Error)]
#[error("the keys could not be fetched a moment ago")]
struct NotYet;

/// Fetches keys when they are needed, and keeps them.
#[derive(Default)]
pub(crate) struct KeptKeys(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    keys: Option<(PublicKeys, Timestamp)>,
    last_try: Option<Timestamp>,
}

impl KeptKeys {
    /// What a token says, if it is good by the keys of now.
    pub(crate) async fn verify(
        &self,
        store: &impl TokenStore,
        token: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Claims, AuthError> {
        // Held over the fetch: requests that come meanwhile wait for it instead of fetching too.
        let mut kept = self.0.lock().await;
        if let Some(keys) = kept.within(FRESH, now) {
            match keys.verify(token, issuer, now) {
                Err(TokenError::UnknownKey) => {}
                other => return Ok(other?),
            }
        }
        let mut failure = None;
        if kept.may_try(now) {
            kept.last_try = Some(now);
            match fetch(store).await {
                Ok(keys) => kept.keys = Some((keys, now)),
                Err(error) => failure = Some(error),
            }
        }
        let Some(keys) = kept.within(STALE, now) else {
            return Err(AuthError::Unavailable(
                failure.unwrap_or_else(|| NotYet.into()),
            ));
        };
        if let Some(error) = failure {
            tracing::warn!(
                error = error_chain(&*error),
                "the keys could not be fetched again; those known go on"
            );
        }
        Ok(keys.verify(token, issuer, now)?)
    }
}

async fn fetch(store: &impl TokenStore) -> Result<PublicKeys, Box<dyn Error + Send + Sync>> {
    let published = store.published_keys().await?;
    Ok(PublicKeys::parse(published.expose())?)
}

impl Kept {
    /// The keys, when they were fetched no longer ago than this. A clock that was set back makes them old, not young.
    fn within(&self, age: SignedDuration, now: Timestamp) -> Option<&PublicKeys> {
        self.keys
            .as_ref()
            .filter(|(_, fetched)| {
                (SignedDuration::ZERO..=age).contains(&now.duration_since(*fetched))
            })
            .map(|(keys, _)| keys)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        self.last_try.is_none_or(|last| {
            !(SignedDuration::ZERO..MIN_INTERVAL).contains(&now.duration_since(last))
        })
    }
}
