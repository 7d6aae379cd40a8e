//! What a token says, and the session behind it: a token is good as long as its session is there.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::user::{User, Username};

/// How long a token holds.
pub const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(10);

/// A token's claims (RFC 7519, section 4.1). Times are in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the deployment.
    pub iss: String,
    /// Whose it is.
    pub sub: Username,
    /// Which session it belongs to.
    pub jti: String,
    /// Since when.
    pub iat: i64,
    /// Until when.
    pub exp: i64,
}

/// A login that goes on. What its token may do is its user's to say, at the time of each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The token's id, a UUIDv7.
    pub jti: String,
    /// Whose it is.
    pub username: Username,
    /// The user of that name then. Another one of the same name, made later, is not meant.
    pub user_id: Uuid,
    /// Until when, to the second.
    pub expires_at: Timestamp,
}

impl Session {
    /// A user's new session.
    pub fn new(user: &User, now: Timestamp) -> Self {
        let ends = now.as_second() + TOKEN_LIFETIME.as_secs();
        Self {
            jti: Uuid::now_v7().to_string(),
            username: user.username.clone(),
            user_id: user.id,
            // A token's time is whole seconds: what is said of it and what holds are the same.
            expires_at: Timestamp::from_second(ends).unwrap_or(Timestamp::MAX),
        }
    }

    /// What its token says.
    pub fn claims(&self, issuer: &str) -> Claims {
        let exp = self.expires_at.as_second();
        Claims {
            iss: issuer.to_owned(),
            sub: self.username.clone(),
            jti: self.jti.clone(),
            iat: exp - TOKEN_LIFETIME.as_secs(),
            exp,
        }
    }

    /// The session is this user's, and goes on.
    pub fn is_of(&self, user: &User, now: Timestamp) -> bool {
        self.username == user.username && self.user_id == user.id && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::user::test_user;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00.75Z".parse().unwrap()
    }

    #[test]
    fn a_session_lasts_as_long_as_its_token() {
        let session = Session::new(&test_user("ann"), now());
        let claims = session.claims("haulout");
        assert_eq!(claims.exp - claims.iat, 36_000);
        assert_eq!(claims.iat, now().as_second());
        assert_eq!(session.expires_at.as_second(), claims.exp);
        assert_eq!(
            (claims.iss.as_str(), claims.sub.as_str()),
            ("haulout", "ann")
        );
        assert_eq!(claims.jti, session.jti);
    }

    #[test]
    fn a_session_is_its_users_until_it_ends() {
        let ann = test_user("ann");
        let session = Session::new(&ann, now());
        let end = session.expires_at;
        assert!(session.is_of(&ann, now()));
        assert!(session.is_of(&ann, end - SignedDuration::from_millis(1)));
        assert!(!session.is_of(&ann, end));
        assert!(!session.is_of(&test_user("bob"), now()));
    }

    #[test]
    fn another_user_of_the_same_name_has_none_of_it() {
        let ann = test_user("ann");
        let session = Session::new(&ann, now());
        let again = User::new(
            ann.username.clone(),
            ann.password_hash.clone(),
            BTreeSet::new(),
            BTreeSet::new(),
            None,
            now(),
        );
        assert!(!session.is_of(&again, now()));
    }
}
