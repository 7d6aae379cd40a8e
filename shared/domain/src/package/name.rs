//! Names of packages, and how one version of a package is named.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    text::{clip, text_form},
    version::{PackageVersion, VersionError},
};
use crate::schema::text_schema;

/// Why a text is no package name. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a package name: expected 1 to 64 letters (a-z, A-Z), digits, dots, underscores and hyphens, beginning with a letter or digit, without two dots in a row"
)]
pub struct NameError(String);

/// A package's name: 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit, without "..".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^[A-Za-z0-9](\.?[A-Za-z0-9_-])*\.?$", max_length = 64)]
pub struct PackageName(String);

impl PackageName {
    /// The most characters.
    pub const MAX: usize = 64;

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_well_formed = text.len() <= Self::MAX
            && text.bytes().all(is_fit)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && !text.contains("..");
        if is_well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(clip(text)))
        }
    }
}

text_form!(PackageName, NameError);

/// Why a text names no version of a package. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageRefError {
    /// There is no '@' in it.
    #[error("'{0}' names no package: expected name@version, such as audience-classifier@v1.0")]
    Form(String),
    /// What stands before the '@'.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What stands behind it.
    #[error(transparent)]
    Version(#[from] VersionError),
}

/// One version of a package: `name@version`. Neither part can hold an '@', so no two share a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageRef {
    /// The package.
    pub name: PackageName,
    /// Which one of it.
    pub version: PackageVersion,
}

text_schema!(
    PackageRef,
    r"^[A-Za-z0-9](\.?[A-Za-z0-9_-])*\.?@(v?(0|[1-9][0-9]{0,17})(\.(0|[1-9][0-9]{0,17}))?|v?(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)$"
);

impl PackageRef {
    /// This version of that package.
    pub fn new(name: PackageName, version: PackageVersion) -> Self {
        Self { name, version }
    }
}

impl FromStr for PackageRef {
    type Err = PackageRefError;

    fn from_str(text: &str) -> Result<Self, PackageRefError> {
        let (name, version) = text
            .split_once('@')
            .ok_or_else(|| PackageRefError::Form(clip(text)))?;
        Ok(Self::new(name.parse()?, version.parse()?))
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl TryFrom<String> for PackageRef {
    type Error = PackageRefError;

    fn try_from(text: String) -> Result<Self, PackageRefError> {
        text.parse()
    }
}

impl From<PackageRef> for String {
    fn from(package: PackageRef) -> Self {
        package.to_string()
    }
}
