//! The keys that tokens are signed with. They are derived from one secret, which only this function may read; their
//! public side is published in another secret, which all functions read, before a token is signed.

use haulout_api::{
    Problem,
    keys::{MIN_SECRET, PublicKeys, SigningKeys},
};
use haulout_aws::{
    error::AwsError,
    secrets::{Secret, Secrets},
    telemetry::error_chain,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{Identity, Settings};

/// After this the secret is read again: whoever replaces it withdraws all tokens.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// A secret that could not be read again is good for this long: Secrets Manager's bad minutes are not ours.
const STALE: SignedDuration = SignedDuration::from_hours(1);

/// What is known of the keys; nothing at first.
#[derive(Debug, Default)]
pub struct Signing(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    secret: Secret,
    /// The public keys as they were published.
    published: String,
    read_at: Timestamp,
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

impl Kept {
    fn is_within(&self, age: SignedDuration, now: Timestamp) -> bool {
        (SignedDuration::ZERO..=age).contains(&now.duration_since(self.read_at))
    }
}

impl Identity {
    /// The keys of this time. The one that signs is published.
    pub(crate) async fn signing_keys(&self, now: Timestamp) -> Result<SigningKeys, Problem> {
        // Held over the calls: requests that come meanwhile wait for them instead of making them too.
        let mut kept = self.signing.0.lock().await;
        let known = kept.as_ref().map(|kept| {
            let keys = SigningKeys::derive(kept.secret.expose(), now);
            let is_current = kept.is_within(FRESH, now) && keys.jwks() == kept.published;
            // A key is published a period before it signs.
            (keys, is_current, kept.is_within(STALE, now))
        });
        if let Some((keys, true, _)) = known {
            return Ok(keys);
        }
        match read(&self.secrets, &self.settings, now).await {
            Ok((keys, read)) => {
                *kept = Some(read);
                Ok(keys)
            }
            Err(error) => match known {
                Some((keys, _, true)) => {
                    tracing::warn!(
                        error = error_chain(&error),
                        "the keys of tokens could not be read or published again; those known go on"
                    );
                    Ok(keys)
                }
                _ => Err(error.into()),
            },
        }
    }
}

/// Reads the secret, and publishes its keys unless they are.
async fn read(
    secrets: &Secrets,
    settings: &Settings,
    now: Timestamp,
) -> Result<(SigningKeys, Kept), SigningError> {
    let secret = secrets.get(&settings.signing_secret).await?;
    if secret.expose().chars().count() < MIN_SECRET {
        return Err(SigningError::TooShort);
    }
    let keys = SigningKeys::derive(secret.expose(), now);
    let wanted = keys.jwks();
    if !is_published(secrets, &settings.jwks_secret, &wanted).await? {
        let published = Secret::new(wanted.clone());
        secrets.put(&settings.jwks_secret, &published).await?;
        tracing::info!("the public keys of tokens are published");
    }
    let kept = Kept {
        secret,
        published: wanted,
        read_at: now,
    };
    Ok((keys, kept))
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
