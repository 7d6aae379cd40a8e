//! The first administrator: whoever knows the name and the password that a secret holds, and logs in with them. It works
//! once: afterwards the password is the account's, and the secret makes nobody else.

use std::sync::atomic::{AtomicBool, Ordering};

use haulout_api::Problem;
use haulout_domain::{
    access::Role,
    identity::{IdentityError, User, Username},
};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{Identity, Password, refusal};

/// What is known of the first administrator.
#[derive(Debug, Default)]
pub struct Bootstrap {
    /// There was one.
    is_done: AtomicBool,
}

/// What the secret holds: `{"username": …, "password": …}`.
#[derive(Debug, Deserialize)]
pub(crate) struct FirstAdmin {
    pub(crate) username: Username,
    password: Password,
}

/// The secret holds something else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    /// Not two texts by these names.
    #[error(
        "the secret of the first administrator is not a JSON object with the texts username and password"
    )]
    Form,
    /// A password that nobody may have.
    #[error("the secret of the first administrator holds no good password")]
    Password(#[from] IdentityError),
}

impl FirstAdmin {
    fn read(text: &str) -> Result<Self, BootstrapError> {
        // Without serde's words: they may quote the secret.
        let first: Self = serde_json::from_str(text).map_err(|_| BootstrapError::Form)?;
        first.password.check()?;
        Ok(first)
    }
}

impl Identity {
    /// Who may become the first administrator, as long as there was none.
    pub(crate) async fn first_admin(&self) -> Result<Option<FirstAdmin>, Problem> {
        let Some(secret_id) = &self.settings.bootstrap_secret else {
            return Ok(None);
        };
        if self.bootstrap.is_done.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let is_done = self.directory.is_bootstrapped().await;
        if is_done.map_err(refusal::directory)? {
            self.bootstrap.is_done.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        let secret = self.secrets.get(secret_id).await?;
        let first = FirstAdmin::read(secret.expose()).map_err(Problem::internal)?;
        Ok(Some(first))
    }

    /// The first administrator, made of who has just logged in with the name and password of the secret. Nothing for
    /// anybody else.
    pub(crate) async fn bootstrap(
        &self,
        first: &FirstAdmin,
        username: &Username,
        password: &Password,
        now: Timestamp,
    ) -> Result<Option<User>, Problem> {
        if *username != first.username || !password.is(&first.password) {
            return Ok(None);
        }
        let hash = self.passwords.hash(password).await;
        let user = User::new(
            username.clone(),
            hash.map_err(Problem::internal)?,
            [Role::Admin].into(),
            [].into(),
            None,
            now,
        );
        let made = self.directory.bootstrap(&user).await;
        if made.map_err(refusal::directory)? {
            self.bootstrap.is_done.store(true, Ordering::Relaxed);
            tracing::warn!(%username, "the first administrator is made, with the password in the secret; the secret makes nobody else");
            return Ok(Some(user));
        }
        // Somebody was there first: the same login sent twice, or a user of this name.
        let user = self.directory.user(username).await;
        let Some(user) = user.map_err(refusal::directory)? else {
            return Ok(None);
        };
        let verified = self.passwords.verify(password, Some(&user.password_hash));
        Ok(verified.await.map_err(Problem::internal)?.then_some(user))
    }
}
