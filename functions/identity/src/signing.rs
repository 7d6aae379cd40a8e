//! The keys that tokens are signed with. They are derived from one secret, which only this function may read; their
//! public side is published in another secret, which all functions read, before a token is signed.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use haulout_api::{
    Problem,
    kept::{Kept, NotRead, Unread},
    keys::{MIN_SECRET, PublicKeys, SigningKeys},
};
use haulout_aws::{
    error::AwsError,
    secrets::{Secret, Secrets},
    telemetry::error_chain,
};
use jiff::Timestamp;

use crate::{Identity, Settings};

/// When to come back while there are no keys, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What is known of the keys; nothing at first. The secret is read again after some minutes: whoever replaces it withdraws
/// all tokens.
#[derive(Debug)]
pub struct Signing(Kept<Read>);

#[derive(Debug, Clone)]
struct Read {
    secret: Secret,
    /// The public keys as they were published.
    published: String,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
enum SigningError {
    #[error("the secrets of tokens cannot be read or written")]
    Aws(#[from] AwsError),
    #[error(
        "the secret that tokens are signed with has fewer than {MIN_SECRET} characters: put a long random text into it"
    )]
    TooShort,
}

impl From<SigningError> for Problem {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Aws(error) => error.into(),
            SigningError::TooShort => Self::internal(error),
        }
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self(Kept::new("the secret that tokens are signed with"))
    }
}

impl Identity {
    /// The keys of this time. The one that signs is published.
    pub(crate) async fn signing_keys(&self) -> Result<SigningKeys, Problem> {
        self.keys().await.map_err(|unread| match unread {
            Unread::Failed(error) => error.into(),
            Unread::Not(error) => {
                let detail = "Tokens cannot be signed just now. Send the request again after the time in Retry-After.";
                Problem::unavailable(detail, RETRY_AFTER_SECONDS).because(error)
            }
        })
    }

    async fn keys(&self) -> Result<SigningKeys, Unread<SigningError>> {
        let derive = |read: &Read| SigningKeys::derive(read.secret.expose(), self.clock.now());
        // A key is published a period before it signs: what does not serve to publish the next one signs all the same.
        let serves = |read: &Read| derive(read).jwks() == read.published;
        let fetch = Box::pin(read(&self.secrets, &self.settings, self.clock.now()));
        let read = self.signing.0.get(&self.clock, serves, fetch).await?;
        Ok(derive(&read))
    }
}

/// Looks at the secret with any request, every few minutes: one that was replaced is to count soon, and not only from the
/// next login on.
pub(crate) async fn look(
    State(identity): State<Arc<Identity>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    // A login has looked already, and was told why there is nothing.
    match identity.keys().await {
        Ok(_) | Err(Unread::Not(NotRead::NotYet)) => {}
        Err(unread) => {
            let error = unread.into_error();
            tracing::warn!(error = error_chain(&*error), "there are no keys of tokens");
        }
    }
    response
}

/// Reads the secret, and publishes its keys unless they are.
async fn read(
    secrets: &Secrets,
    settings: &Settings,
    now: Timestamp,
) -> Result<Read, SigningError> {
    let secret = secrets.get(&settings.signing_secret).await?;
    if secret.expose().chars().count() < MIN_SECRET {
        return Err(SigningError::TooShort);
    }
    let wanted = SigningKeys::derive(secret.expose(), now).jwks();
    if !is_published(secrets, &settings.jwks_secret, &wanted).await? {
        let published = Secret::new(wanted.clone());
        secrets.put(&settings.jwks_secret, &published).await?;
        tracing::info!("the public keys of tokens are published");
    }
    Ok(Read {
        secret,
        published: wanted,
    })
}

async fn is_published(secrets: &Secrets, id: &str, wanted: &str) -> Result<bool, AwsError> {
    let published = match secrets.get(id).await {
        Ok(published) => published,
        // A secret without a value, as it is when it is made.
        Err(error) if error.is("ResourceNotFoundException") => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(match PublicKeys::parse(published.expose()) {
        Ok(keys) => PublicKeys::parse(wanted).is_ok_and(|wanted| wanted == keys),
        // Whatever it is, nobody can check a token with it.
        Err(_) => false,
    })
}
