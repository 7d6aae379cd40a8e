//! Users: their names, passwords, roles and groups, and how these change.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Role;

/// How long a password may be, in characters (NIST SP 800-63B asks for at least 8, and room for at least 64).
pub const PASSWORD_CHARACTERS: RangeInclusive<usize> = 8..=128;
/// The longest name of a user or a group, in characters.
const MAX_NAME: usize = 64;

/// Why a text is not a name or a password. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a username.
    #[error(
        "'{0}' is not a username: give 1 to 64 of a-z, 0-9, '.', '_', '-' and '@', beginning with a letter or a digit"
    )]
    Username(String),
    /// Not a group's name.
    #[error("'{0}' is not a group name: give 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'")]
    Group(String),
    /// A password too short or too long. It is not repeated.
    #[error("the password is not 8 to 128 characters long: choose another one")]
    Password,
}

/// A user's name, in lower case: `Ann` and `ann` are the same user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^[A-Za-z0-9][A-Za-z0-9._@-]*$", max_length = 64)]
pub struct Username(String);

impl FromStr for Username {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let name = text.to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_valid = name.len() <= MAX_NAME
            && name.bytes().next().is_some_and(is_plain)
            && name
                .bytes()
                .all(|byte| is_plain(byte) || b"._-@".contains(&byte));
        if is_valid {
            Ok(Self(name))
        } else {
            Err(IdentityError::Username(clip(text)))
        }
    }
}

/// The name of a group of users. Case counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^[A-Za-z0-9._-]+$", max_length = 64)]
pub struct GroupName(String);

impl FromStr for GroupName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let is_valid = (1..=MAX_NAME).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::Group(clip(text)))
        }
    }
}

macro_rules! text_form {
    ($($name:ty),*) => {$(
        impl $name {
            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdentityError;
            fn try_from(text: String) -> Result<Self, IdentityError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}
text_form!(Username, GroupName);

/// Whether somebody may choose this password.
///
/// # Errors
/// [`IdentityError::Password`] when it is too short or too long.
pub fn check_password(password: &str) -> Result<(), IdentityError> {
    // Counted no further than needed: it is the caller's text.
    let count = password.chars().take(PASSWORD_CHARACTERS.end() + 1).count();
    if PASSWORD_CHARACTERS.contains(&count) {
        Ok(())
    } else {
        Err(IdentityError::Password)
    }
}

/// A user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name, unique among the users there are.
    pub username: Username,
    /// Unique for ever: somebody else of the same name, after this user was deleted, has another one.
    pub id: Uuid,
    /// The password's hash with its parameters (PHC string format).
    pub password_hash: String,
    /// What the user may do.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// What packages the user may have.
    #[serde(default)]
    pub groups: BTreeSet<GroupName>,
    /// How many machines the user may have; without one the deployment's limit holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u32>,
    /// Counts the changes of the password. Sessions that began before the last one are over.
    #[serde(default)]
    pub era: u64,
    /// But for this one, in which the present password was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_session: Option<String>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was changed last.
    pub updated_at: Timestamp,
    /// Counts the writes.
    pub version: u64,
}

/// Says nothing of the password.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .field("id", &self.id)
            .field("roles", &self.roles)
            .field("groups", &self.groups)
            .field("quota", &self.quota)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What is to be different about a user. What is `None` stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The roles.
    pub roles: Option<BTreeSet<Role>>,
    /// The groups.
    pub groups: Option<BTreeSet<GroupName>>,
    /// The quota; `Some(None)` for none of the user's own.
    pub quota: Option<Option<u32>>,
    /// The hash of another password. All sessions end.
    pub password_hash: Option<String>,
}

/// Says nothing of the password, but that it changes.
impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("roles", &self.roles)
            .field("groups", &self.groups)
            .field("quota", &self.quota)
            .field("password", &self.password_hash.is_some())
            .finish()
    }
}

impl User {
    /// A new user.
    pub fn new(
        username: Username,
        password_hash: String,
        roles: BTreeSet<Role>,
        groups: BTreeSet<GroupName>,
        quota: Option<u32>,
        now: Timestamp,
    ) -> Self {
        Self {
            username,
            id: Uuid::now_v7(),
            password_hash,
            roles,
            groups,
            quota,
            era: 0,
            kept_session: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Whether the user administers the deployment.
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }

    /// The user with a change; nothing when it makes no difference.
    pub fn changed(&self, change: UserChange, now: Timestamp) -> Option<Self> {
        let mut user = self.clone();
        user.roles = change.roles.unwrap_or(user.roles);
        user.groups = change.groups.unwrap_or(user.groups);
        user.quota = change.quota.unwrap_or(user.quota);
        if let Some(hash) = change.password_hash {
            user.choose(hash, None);
        }
        (user != *self).then(|| user.written(now))
    }

    /// The user with the same password under another hash.
    #[must_use]
    pub fn rehashed(&self, password_hash: String, now: Timestamp) -> Self {
        let mut user = self.clone();
        user.password_hash = password_hash;
        user.written(now)
    }

    /// The user with another password. All sessions end but this one.
    #[must_use]
    pub fn with_password(&self, password_hash: String, session: &str, now: Timestamp) -> Self {
        let mut user = self.clone();
        user.choose(password_hash, Some(session.to_owned()));
        user.written(now)
    }

    fn choose(&mut self, password_hash: String, kept_session: Option<String>) {
        self.password_hash = password_hash;
        self.era += 1;
        self.kept_session = kept_session;
    }

    fn written(mut self, now: Timestamp) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}

/// Bounds what an error message repeats of a caller's input.
fn clip(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
pub(super) fn test_user(name: &str) -> User {
    User::new(
        name.parse().unwrap(),
        "$argon2id$secret".to_owned(),
        BTreeSet::from([Role::User]),
        BTreeSet::new(),
        None,
        Timestamp::UNIX_EPOCH,
    )
}
