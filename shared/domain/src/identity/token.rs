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
    /// How often the user's password had been changed then.
    #[serde(default)]
    pub era: u64,
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
            era: user.era,
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
        let is_kept = user.kept_session.as_ref() == Some(&self.jti);
        self.username == user.username
            && self.user_id == user.id
            && (self.era == user.era || is_kept)
            && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::user::{UserChange, test_user};

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
    fn another_password_ends_the_sessions_before_it_but_the_one_it_was_chosen_in() {
        let ann = test_user("ann");
        let [own, other] = [Session::new(&ann, now()), Session::new(&ann, now())];
        let hash = || "$argon2id$other".to_owned();
        let chosen = ann.with_password(hash(), &own.jti, now());
        assert!(own.is_of(&chosen, now()) && !other.is_of(&chosen, now()));
        assert!(!own.is_of(&chosen, own.expires_at));
        let later = Session::new(&chosen, now());
        assert!(later.is_of(&chosen, now()));
        // Given by somebody else, it ends them all.
        let change = UserChange {
            password_hash: Some(hash()),
            ..UserChange::default()
        };
        let given = chosen.changed(change, now()).unwrap();
        assert!(
            ![&own, &other, &later]
                .iter()
                .any(|it| it.is_of(&given, now()))
        );
        // The same password under another hash ends none.
        let last = Session::new(&given, now());
        assert!(last.is_of(&given.rehashed(hash(), now()), now()));
    }

    #[test]
    fn what_was_stored_before_passwords_were_numbered_goes_on() {
        let ann = test_user("ann");
        let session = Session::new(&ann, now());
        let stored = |value: serde_json::Result<serde_json::Value>| {
            let mut value = value.unwrap();
            assert!(value.as_object_mut().unwrap().remove("era").is_some());
            value
        };
        let user: User = serde_json::from_value(stored(serde_json::to_value(&ann))).unwrap();
        let session: Session =
            serde_json::from_value(stored(serde_json::to_value(&session))).unwrap();
        assert!(session.is_of(&user, now()));
        let changed = user.with_password("$argon2id$other".to_owned(), "another", now());
        assert!(!session.is_of(&changed, now()));
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
