//! What callers say, and whether it makes sense.

use std::collections::BTreeSet;

use haulout_api::{Code, Problem, page::Limit};
use haulout_domain::{
    access::Role,
    identity::{GroupName, UserChange, Username},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Password;

/// Who registers.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The name: 1 to 64 of a-z, 0-9, `.`, `_`, `-` and `@`, beginning with a letter or a digit. Upper case becomes
    /// lower case.
    #[schema(example = "ann")]
    pub username: Username,
    /// 8 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub password: Password,
    /// What the user may do. Counts only when an administrator sends it; all others get the role `user`.
    // Any value: older callers send words of their own, which do not count.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Role>>)]
    pub roles: Value,
    /// The user's groups. Counts only when an administrator sends it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GroupName>>)]
    pub groups: Value,
    /// How many machines the user may have. Counts only when an administrator sends it.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    pub quota: Value,
}

/// What a new user may do and have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) groups: BTreeSet<GroupName>,
    pub(crate) quota: Option<u32>,
}

impl Register {
    /// What the user gets from whoever registers it.
    pub(crate) fn grant(&self, by_admin: bool) -> Result<Grant, Problem> {
        let usual = Grant {
            roles: BTreeSet::from([Role::User]),
            groups: BTreeSet::new(),
            quota: None,
        };
        if !by_admin {
            return Ok(usual);
        }
        Ok(Grant {
            roles: read("roles", &self.roles)?.unwrap_or(usual.roles),
            groups: read("groups", &self.groups)?.unwrap_or_default(),
            quota: read("quota", &self.quota)?,
        })
    }
}

/// The value of a field; nothing when it was left out, or null.
fn read<T: DeserializeOwned>(field: &str, value: &Value) -> Result<Option<T>, Problem> {
    Option::deserialize(value).map_err(|error| {
        Problem::new(
            Code::InvalidBody,
            format!("Body, field `{field}`: {error}."),
        )
    })
}

/// Who logs in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name.
    #[schema(example = "ann")]
    pub username: Username,
    /// The password.
    #[schema(value_type = String, format = Password)]
    pub password: Password,
}

/// Another password for oneself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present one.
    #[schema(value_type = String, format = Password)]
    pub password: Password,
    /// The one from now on: 8 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub new_password: Password,
}

/// What is to be different about a user. What is left out stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// All of the user's roles. Null is the same as left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Role>>)]
    pub roles: Option<BTreeSet<Role>>,
    /// All of the user's groups. Null is the same as left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GroupName>>)]
    pub groups: Option<BTreeSet<GroupName>>,
    /// How many machines the user may have. With null the deployment's limit holds again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    pub quota: Option<Option<u32>>,
    /// Another password: 8 to 128 characters. All of the user's sessions end. Null is the same as left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 128)]
    pub password: Option<Password>,
}

impl ChangeUser {
    /// The change, with the password's hash in its place.
    pub(crate) fn hashed(self, password_hash: Option<String>) -> UserChange {
        let Self {
            roles,
            groups,
            quota,
            password: _,
        } = self;
        UserChange {
            roles,
            groups,
            quota,
            password_hash,
        }
    }
}

/// Tells null from what was left out.
#[expect(clippy::option_option, reason = "the two mean different things")]
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Which users to list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUsers {
    /// How many users a page has.
    #[serde(default)]
    pub(crate) limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}
