//! From a token to its caller: the signature tells whose it is, the session whether it still holds and what its user may
//! do now. Both are kept for a while, so that a request usually costs no call: keys for minutes, sessions for seconds.

use std::{error::Error, pin::Pin};

use haulout_aws::{
    clock::Clock,
    directory::Directory,
    secrets::{Secret, Secrets},
    telemetry::error_chain,
};
use haulout_domain::identity::{Claims, User};
use jiff::Timestamp;

use crate::{
    auth::{AuthError, Authenticate},
    caller::Caller,
    kept_keys::KeptKeys,
    kept_sessions::{FRESH, KeptSessions, USABLE},
    keys::TokenError,
};

/// An answer that takes a while, or what kept it from coming.
pub type Asked<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// What tokens are checked against.
pub trait TokenStore: Send + Sync + 'static {
    /// The public keys, as a JWK set.
    fn published_keys(&self) -> Asked<'_, Secret>;

    /// The user of the session that a token belongs to; nothing when the session is over, or the user gone.
    fn user<'a>(&'a self, claims: &'a Claims, now: Timestamp) -> Asked<'a, Option<User>>;
}

/// A secret in Secrets Manager, and the directory.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) directory: Directory,
    pub(crate) secrets: Secrets,
    pub(crate) jwks_secret_id: String,
}

impl TokenStore for Aws {
    fn published_keys(&self) -> Asked<'_, Secret> {
        Box::pin(async { Ok(self.secrets.get(&self.jwks_secret_id).await?) })
    }

    fn user<'a>(&'a self, claims: &'a Claims, now: Timestamp) -> Asked<'a, Option<User>> {
        Box::pin(async move {
            let session = self
                .directory
                .session(&claims.jti, &claims.sub, now)
                .await?;
            Ok(session.map(|(_, user)| user))
        })
    }
}

/// Accepts the tokens of its store.
pub(crate) struct Tokens<S> {
    store: S,
    issuer: String,
    clock: Clock,
    keys: KeptKeys,
    sessions: KeptSessions,
}

impl<S: TokenStore> Tokens<S> {
    pub(crate) fn new(store: S, issuer: String, clock: Clock) -> Self {
        Self {
            store,
            issuer,
            clock,
            keys: KeptKeys::default(),
            sessions: KeptSessions::default(),
        }
    }

    /// The same, for which a fetch of keys may take this long.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: std::time::Duration) -> Self {
        Self {
            keys: self.keys.with_patience(patience),
            ..self
        }
    }

    async fn check(&self, token: &str) -> Result<Caller, AuthError> {
        // Nothing that the token says is looked up before its signature is known to be right.
        let claims = self
            .keys
            .verify(&self.store, token, &self.issuer, &self.clock)
            .await?;
        // Fetching keys may have taken long, and a session must not look younger for that.
        let now = self.clock.now();
        let caller = match self.sessions.get(&claims.jti, FRESH, now) {
            Some(known) => known,
            None => self.look_up(&claims, now).await?,
        };
        // A session is one user's alone: another's name in its token would be a fault of ours.
        caller
            .filter(|caller| caller.name == claims.sub.as_str())
            .ok_or(AuthError::Rejected(TokenError::NoSession))
    }

    /// The session's caller as the store knows it, or knew it a moment ago when it does not answer.
    async fn look_up(&self, claims: &Claims, now: Timestamp) -> Result<Option<Caller>, AuthError> {
        match self.store.user(claims, now).await {
            Ok(user) => {
                let caller = user.map(|user| Caller::of(user, claims.jti.clone()));
                self.sessions.keep(&claims.jti, caller.clone(), now);
                Ok(caller)
            }
            Err(error) => match self.sessions.get(&claims.jti, USABLE, self.clock.now()) {
                Some(known) => {
                    tracing::warn!(
                        error = error_chain(&*error),
                        "the session could not be read again; what is known of it goes on"
                    );
                    Ok(known)
                }
                None => Err(AuthError::Unavailable(error)),
            },
        }
    }
}

impl<S: TokenStore> Authenticate for Tokens<S> {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>> {
        Box::pin(self.check(token))
    }
}
