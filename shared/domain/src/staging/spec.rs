//! What a machine's record says of what is staged on it.

use serde::{Deserialize, Serialize};

use crate::{
    blob::{BlobRef, Sha256Hex},
    package::{ObjectKey, PackageRef},
};

/// What to stage once the machine can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagingSpec {
    /// What it is.
    #[serde(flatten)]
    pub archive: Archive,
    /// Where the archive of a package was when its caller was let have it. Another archive that gets the name later is
    /// another package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_key: Option<ObjectKey>,
    /// Its SHA-256, checked on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hex>,
    /// Its size in bytes, checked on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// An archive that can be staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Archive {
    /// A Walrus blob.
    Blob(BlobRef),
    /// A package of the registry.
    Package(PackageRef),
}

impl Archive {
    /// The blob, where it is one.
    pub fn blob(&self) -> Option<&BlobRef> {
        match self {
            Self::Blob(blob) => Some(blob),
            Self::Package(_) => None,
        }
    }

    /// The package, where it is one.
    pub fn package(&self) -> Option<&PackageRef> {
        match self {
            Self::Blob(_) => None,
            Self::Package(package) => Some(package),
        }
    }
}
