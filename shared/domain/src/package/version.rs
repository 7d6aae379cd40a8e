//! Versions of packages.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::{clip, text_form};

/// Why a text is no version. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a version: expected up to 64 characters such as 1.0.0, 1.0.0-rc.1 (semver.org), v1, v1.0 or v1.0.0"
)]
pub struct VersionError(String);

/// A version of a package, kept as it was written: a semantic version, or one to three numbers, with or without a `v`
/// before it. `v1.0.0` and `1.0.0` are two versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^(v?(0|[1-9][0-9]{0,17})(\.(0|[1-9][0-9]{0,17}))?|v?(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)$", max_length = 64)]
pub struct PackageVersion(String);

impl PackageVersion {
    /// The most characters.
    pub const MAX: usize = 64;

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let is_short = || {
            let mut numbers = bare.split('.');
            numbers.clone().count() <= 2 && numbers.all(is_number)
        };
        let is_version = || semver::Version::parse(bare).is_ok();
        if text.len() <= Self::MAX && (is_short() || is_version()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VersionError(clip(text)))
        }
    }
}

/// As semver.org has numbers: no zeros before others, so that one version has one spelling.
fn is_number(text: &str) -> bool {
    let is_padded = text.len() > 1 && text.starts_with('0');
    !text.is_empty() && !is_padded && text.bytes().all(|byte| byte.is_ascii_digit())
}

text_form!(PackageVersion, VersionError);
