//! From a name and a password to the user: counted before it is looked at, and with the same work and the same answer
//! for a user that is not there.

use haulout_api::Problem;
use haulout_aws::{
    directory::{Attempt, Changed},
    telemetry::error_chain,
};
use haulout_domain::identity::{User, Username, throttle};
use jiff::Timestamp;

use crate::{Identity, Password, refusal};

/// A try at a password that was counted.
pub(crate) struct Try {
    place: String,
    locked_until: Option<Timestamp>,
    now: Timestamp,
}

impl Try {
    /// What whoever made it is told when it was wrong.
    pub(crate) fn refusal(&self) -> Problem {
        match self.locked_until {
            Some(until) => refusal::too_many_attempts(until, self.now),
            None => refusal::wrong_credentials(),
        }
    }
}

impl Identity {
    /// The user with this name and password.
    pub(crate) async fn recognise(
        &self,
        username: &Username,
        password: &Password,
        address: &str,
        now: Timestamp,
    ) -> Result<User, Problem> {
        let attempt = self.begin_try(username, address, now).await?;
        // Asked for whoever comes: how long an answer takes does not tell whether there is such a user.
        let first = self.first_admin().await;
        let user = self.directory.user(username).await;
        let user = user.map_err(refusal::directory)?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let verified = self.passwords.verify(password, hash).await;
        let is_right = verified.map_err(Problem::internal)?;
        let user = match user {
            Some(user) => is_right.then_some(user),
            // It may be the first administrator: what kept the secret from being read counts for nobody else.
            None => match first? {
                Some(first) => self.bootstrap(&first, username, password, now).await?,
                None => None,
            },
        };
        let user = user.ok_or_else(|| attempt.refusal())?;
        self.end_try(username, &attempt).await?;
        self.rehash(&user, password, now).await;
        Ok(user)
    }

    /// Counts a try, unless no password is looked at now.
    pub(crate) async fn begin_try(
        &self,
        username: &Username,
        address: &str,
        now: Timestamp,
    ) -> Result<Try, Problem> {
        let place = throttle::place(address);
        let attempt = self.directory.begin_attempt(username, &place, now).await;
        match attempt.map_err(refusal::directory)? {
            Attempt::Locked { until } => Err(refusal::too_many_attempts(until, now)),
            Attempt::Counted { locked_until } => Ok(Try {
                place,
                locked_until,
                now,
            }),
        }
    }

    /// The try was right: those before it count no more.
    pub(crate) async fn end_try(&self, username: &Username, attempt: &Try) -> Result<(), Problem> {
        let forgotten = self.directory.forget_attempts(username, &attempt.place);
        forgotten.await.map_err(refusal::directory)
    }

    /// Hashes the password anew when its hash was made in another way than it would be now. The login goes on whatever
    /// comes of it; the next one tries again.
    async fn rehash(&self, user: &User, password: &Password, now: Timestamp) {
        let outcome = async {
            if !self.passwords.is_outdated(&user.password_hash)? {
                return Ok(Changed::Yes);
            }
            let hash = self.passwords.hash(password).await?;
            let user = user.rehashed(hash, now);
            let changed = self.directory.update_user(&user).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(changed)
        };
        if let Err(error) = outcome.await {
            tracing::warn!(
                error = error_chain(&*error),
                "a password could not be hashed anew"
            );
        }
    }
}
