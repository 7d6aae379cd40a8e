//! Where a package's archive is in the bucket. Every upload has an object of its own, so that two uploads of one
//! version never write over each other.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    name::PackageRef,
    text::{clip, text_form},
};

/// Why a text is no id of an upload. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an upload id: expected u- followed by a lower-case UUID, as POST /init answered"
)]
pub struct UploadIdError(String);

/// An upload's id: `u-` and a UUIDv7, so that ids sort by creation time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^u-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
pub struct UploadId(String);

impl UploadId {
    /// Length of the text form, in characters.
    pub const LEN: usize = 38;

    /// A new id; ids made later sort after earlier ones (RFC 9562, UUIDv7).
    pub fn generate() -> Self {
        Self(format!("u-{}", Uuid::now_v7()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let valid = text.len() == Self::LEN
            && text
                .strip_prefix("u-")
                .and_then(|uuid| Uuid::try_parse(uuid).ok())
                .is_some_and(|uuid| uuid.hyphenated().to_string() == text[2..]);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(UploadIdError(clip(text)))
        }
    }
}

text_form!(UploadId, UploadIdError);

/// Why a key is not that of a package's archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not the key of a package: expected packages/NAME/VERSION/FILE.zip, FILE being up to 64 letters, digits, dots, underscores and hyphens"
)]
pub struct KeyError(String);

/// The key of a package's archive: `packages/{name}/{version}/{upload id}.zip`. What somebody put into the bucket by
/// hand may have another name than an upload's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    package: PackageRef,
    stem: String,
}

impl ObjectKey {
    /// What all keys begin with.
    pub const ROOT: &str = "packages/";
    /// What all keys end with.
    pub const EXTENSION: &str = ".zip";

    /// Where an upload goes.
    pub fn of(package: PackageRef, upload: &UploadId) -> Self {
        Self {
            package,
            stem: upload.0.clone(),
        }
    }

    /// What the keys of all archives of one version begin with, and no other version's.
    pub fn prefix(package: &PackageRef) -> String {
        format!("{}{}/{}/", Self::ROOT, package.name, package.version)
    }

    /// Whose archive it is.
    pub fn package(&self) -> &PackageRef {
        &self.package
    }

    /// Which upload brought it; nothing for what was put there by hand.
    pub fn upload_id(&self) -> Option<UploadId> {
        self.stem.parse().ok()
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let inner = text.strip_prefix(Self::ROOT)?;
            let mut steps = inner.strip_suffix(Self::EXTENSION)?.split('/');
            let (name, version, stem) = (steps.next()?, steps.next()?, steps.next()?);
            let is_fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let is_stem = (1..=64).contains(&stem.len())
                && stem.bytes().all(is_fit)
                && !stem.starts_with('.');
            (steps.next().is_none() && is_stem).then_some(())?;
            Some(Self {
                package: PackageRef::new(name.parse().ok()?, version.parse().ok()?),
                stem: stem.to_owned(),
            })
        };
        read().ok_or_else(|| KeyError(clip(text)))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, stem) = (Self::prefix(&self.package), &self.stem);
        write!(f, "{prefix}{stem}{}", Self::EXTENSION)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.to_string()
    }
}
