//! Project ids: what callers name the machine they hold by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// First words of paths that mean something else: no project can be called so. A test holds this list against the
/// API's document.
pub const RESERVED: &[&str] = &[
    "abort",
    "api",
    "commit",
    "destroy",
    "docs",
    "download",
    "drain",
    "favicon.ico",
    "health",
    "history",
    "init",
    "instances",
    "login",
    "logout",
    "me",
    "openapi.json",
    "packages",
    "part",
    "pool",
    "projects",
    "register",
    "register-package",
    "robots.txt",
    "status",
    "tickets",
    "uploads",
    "users",
    "validate",
];

/// Why a text is no project id. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectIdError {
    /// Too short, too long, or other characters.
    #[error(
        "'{0}' is not a project id: expected 1 to 64 letters (a-z, A-Z), digits, dots, underscores and hyphens, not dots alone"
    )]
    Malformed(String),
    /// A word of the API's own.
    #[error("'{0}' cannot be a project id: it is a path of the API. Choose another id")]
    Reserved(String),
}

/// A project's id: 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^\.*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length = 64)]
pub struct ProjectId(String);

impl ProjectId {
    /// The most characters.
    pub const MAX: usize = 64;

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectId {
    type Err = ProjectIdError;

    fn from_str(text: &str) -> Result<Self, ProjectIdError> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_well_formed = (1..=Self::MAX).contains(&text.len())
            && text.bytes().all(is_fit)
            // Some clients read these as steps in the path.
            && text.bytes().any(|byte| byte != b'.');
        if !is_well_formed {
            return Err(ProjectIdError::Malformed(text.chars().take(80).collect()));
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err(ProjectIdError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ProjectId {
    type Error = ProjectIdError;

    fn try_from(text: String) -> Result<Self, ProjectIdError> {
        text.parse()
    }
}

impl From<ProjectId> for String {
    fn from(id: ProjectId) -> Self {
        id.0
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
