//! What callers are told. Absent values are null; a password's hash is never told.

use std::collections::BTreeSet;

use haulout_domain::{
    access::Role,
    identity::{GroupName, Session, User, Username},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// The name.
    #[schema(value_type = String, example = "ann")]
    pub username: Username,
    /// What the user may do.
    pub roles: BTreeSet<Role>,
    /// The user's groups.
    #[schema(value_type = Vec<String>)]
    pub groups: BTreeSet<GroupName>,
    /// How many machines the user may have; with null the deployment's limit holds.
    pub quota: Option<u32>,
    /// When the user was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the user was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            username: user.username,
            roles: user.roles,
            groups: user.groups,
            quota: user.quota,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// Users, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Users)]
pub struct UsersView {
    /// They.
    pub users: Vec<UserView>,
    /// Where the next page starts; null at the end of the list.
    pub next_cursor: Option<String>,
}

/// What a login brings.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// For the header `Authorization: Bearer <token>`.
    pub token: String,
    /// Until when it holds.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// The caller.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeView {
    /// The name.
    #[schema(value_type = String, example = "ann")]
    pub username: Username,
    /// What the caller may do.
    pub roles: BTreeSet<Role>,
    /// The caller's groups.
    #[schema(value_type = Vec<String>)]
    pub groups: BTreeSet<GroupName>,
    /// How many machines the caller may have; with null the deployment's limit holds.
    pub quota: Option<u32>,
    /// Until when the token holds that the request was made with.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl MeView {
    pub(crate) fn of(session: &Session, user: User) -> Self {
        Self {
            username: user.username,
            roles: user.roles,
            groups: user.groups,
            quota: user.quota,
            expires_at: session.expires_at,
        }
    }
}

/// Answer to POST /logout.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LoggedOut {
    /// In words.
    pub message: &'static str,
}

/// Answer to the end of a user.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeletedUser)]
pub struct DeletedView {
    /// In words.
    pub message: &'static str,
    /// Whose.
    #[schema(value_type = String)]
    pub username: Username,
}
