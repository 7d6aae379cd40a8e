//! The public keys, kept between requests. A token whose key is not known is a reason to look again (there may be a new
//! one), but not each time: who makes up tokens must not make us call AWS for each.

use std::{error::Error, sync::Arc};

use haulout_aws::clock::Clock;
use haulout_domain::identity::Claims;

use crate::{auth::AuthError, kept::Kept, keys::PublicKeys, token::TokenStore};

/// Fetches keys when they are needed, and keeps them.
pub(crate) struct KeptKeys(Kept<Arc<PublicKeys>>);

impl Default for KeptKeys {
    fn default() -> Self {
        Self(Kept::new("the public keys of tokens"))
    }
}

impl KeptKeys {
    /// The same, for which a fetch may take this long.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: std::time::Duration) -> Self {
        Self(self.0.with_patience(patience))
    }

    /// What a token says, if it is good by the keys of now.
    pub(crate) async fn verify(
        &self,
        store: &impl TokenStore,
        token: &str,
        issuer: &str,
        clock: &Clock,
    ) -> Result<Claims, AuthError> {
        let serves = |keys: &Arc<PublicKeys>| keys.suffice_for(token);
        let keys = self.0.get(clock, serves, fetch(store)).await;
        let keys = keys.map_err(|unread| AuthError::Unavailable(unread.into_error()))?;
        Ok(keys.verify(token, issuer, clock.now())?)
    }
}

async fn fetch(store: &impl TokenStore) -> Result<Arc<PublicKeys>, Box<dyn Error + Send + Sync>> {
    let published = store.published_keys().await?;
    Ok(Arc::new(PublicKeys::parse(published.expose())?))
}
