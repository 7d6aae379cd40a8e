//! A package's record: what is kept of an archive that was committed, or found in the bucket.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    archive::Inspection,
    name::{PackageName, PackageRef},
    object::{ObjectKey, UploadId},
    upload::Upload,
    version::PackageVersion,
};
use crate::{blob::Sha256Hex, identity::GroupName};

/// Form of the record; a later one adds to it what older code may ignore.
pub const SCHEMA: u32 = 1;

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackageState {
    /// Its archive is there and was looked at.
    Ready,
    /// Its archive is not in the bucket.
    Missing,
    /// Its archive is there, and nobody has looked into it yet, or not since it changed.
    Unverified,
}

impl PackageState {
    /// The word used in JSON and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::Unverified => "unverified",
        }
    }
}

/// What S3 says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Its bytes.
    pub size_bytes: u64,
    /// Its CRC-64/NVME over all bytes, in base64 (S3, `x-amz-checksum-crc64nvme`), if it was put there with one.
    pub crc64nvme: Option<String>,
    /// Its SHA-256, where somebody has computed it: S3 has none over all parts of a multipart upload.
    pub sha256: Option<Sha256Hex>,
}

/// Why an object is not what its upload said. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Other bytes in number.
    #[error("the archive has {actual} bytes, POST /init announced {announced}: upload it again")]
    Size {
        /// As announced.
        announced: u64,
        /// As S3 has it.
        actual: u64,
    },
    /// Other bytes.
    #[error("the archive's SHA-256 is {actual}, POST /init announced {announced}: upload it again")]
    Checksum {
        /// As announced.
        announced: Sha256Hex,
        /// As computed.
        actual: Sha256Hex,
    },
}

/// What somebody says of an archive that is in the bucket. What is not said stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// What it is, in a few words.
    pub description: Option<String>,
    /// Whether it is only for the owner and the groups.
    pub is_sensitive: Option<bool>,
    /// Whose members get it.
    pub allowed_groups: Option<BTreeSet<GroupName>>,
    /// A condition on who gets it.
    pub rule: Option<String>,
}

/// A package's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// What it is called.
    pub name: PackageName,
    /// Which one of that name.
    pub version: PackageVersion,
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// Counts writes; every write but the first is conditional on it.
    pub revision: u64,
    /// In a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where its archive is.
    pub key: ObjectKey,
    /// The archive's bytes.
    pub size_bytes: u64,
    /// Its SHA-256: computed, or else as its owner announced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hex>,
    /// Its CRC-64/NVME in base64, as S3 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
    /// Only for the owner and the groups below.
    #[serde(default)]
    pub is_sensitive: bool,
    /// Whose members get it. Naming any makes it theirs alone, sensitive or not.
    #[serde(default)]
    pub allowed_groups: BTreeSet<GroupName>,
    /// A condition on who gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// It was found in the bucket, and nobody has said yet what it is and who may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_undescribed: bool,
    /// Who brought it.
    pub owner: String,
    /// Where it stands.
    pub state: PackageState,
    /// It has a script that staging can start.
    #[serde(default)]
    pub has_script: bool,
    /// Entries in the archive; 0 until somebody has looked.
    #[serde(default)]
    pub entries: u64,
    /// Bytes it unpacks to; 0 until somebody has looked.
    #[serde(default)]
    pub unpacked_bytes: u64,
    /// When it was committed or found.
    pub created_at: Timestamp,
    /// What brought it; nothing for what was put into the bucket by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<UploadId>,
}

impl Package {
    /// What an upload has become, when it is what was announced.
    pub fn published(
        upload: &Upload,
        object: &ObjectFacts,
        inspection: Inspection,
        now: Timestamp,
    ) -> Result<Self, Mismatch> {
        compare(upload, object)?;
        let mut package = Self::found(upload.key.clone(), upload.owner.clone(), object, now);
        package.description.clone_from(&upload.description);
        package.is_sensitive = upload.is_sensitive;
        package.allowed_groups.clone_from(&upload.allowed_groups);
        package.rule.clone_from(&upload.rule);
        package.upload_id = Some(upload.id.clone());
        package.sha256 = object.sha256.clone().or_else(|| upload.sha256.clone());
        package.note(inspection);
        Ok(package)
    }

    /// The record of an archive found in the bucket. Nobody has looked into it yet.
    pub fn found(key: ObjectKey, owner: String, object: &ObjectFacts, now: Timestamp) -> Self {
        let PackageRef { name, version } = key.package().clone();
        Self {
            name,
            version,
            schema: SCHEMA,
            revision: 1,
            description: None,
            upload_id: key.upload_id(),
            key,
            size_bytes: object.size_bytes,
            sha256: object.sha256.clone(),
            crc64nvme: object.crc64nvme.clone(),
            is_sensitive: false,
            allowed_groups: BTreeSet::new(),
            rule: None,
            is_undescribed: false,
            owner,
            state: PackageState::Unverified,
            has_script: false,
            entries: 0,
            unpacked_bytes: 0,
            created_at: now,
        }
    }

    /// The same, found by nobody who could say who may have it: its owner alone, until somebody says so.
    #[must_use]
    pub fn undescribed(mut self) -> Self {
        self.is_sensitive = true;
        self.is_undescribed = true;
        self
    }

    /// What somebody says of a package that was found. Whoever says who may have it owns it from then on, and it takes no
    /// other word; any other package takes none at all. Whether anything changed, the answer says.
    pub fn describe(&mut self, said: &Said, who: &str) -> bool {
        if !self.is_undescribed {
            return false;
        }
        let before = self.clone();
        self.take(said);
        if said.is_sensitive.is_some() || said.allowed_groups.is_some() {
            who.clone_into(&mut self.owner);
            self.is_undescribed = false;
        }
        *self != before
    }

    fn take(&mut self, said: &Said) {
        let Said {
            description,
            is_sensitive,
            allowed_groups,
            rule,
        } = said.clone();
        self.description = description.or(self.description.take());
        self.is_sensitive = is_sensitive.unwrap_or(self.is_sensitive);
        self.rule = rule.or(self.rule.take());
        if let Some(groups) = allowed_groups {
            self.allowed_groups = groups;
        }
    }

    /// How it is named.
    pub fn reference(&self) -> PackageRef {
        PackageRef::new(self.name.clone(), self.version.clone())
    }

    /// Only its owner and members of its groups get it.
    pub fn is_restricted(&self) -> bool {
        self.is_sensitive || !self.allowed_groups.is_empty()
    }

    /// Compares it with its object: nothing when there is none. Whether anything changed, the answer says. What came
    /// back or changed is to be looked at.
    pub fn observe(&mut self, object: Option<&ObjectFacts>) -> bool {
        let Some(object) = object else {
            let was = std::mem::replace(&mut self.state, PackageState::Missing);
            return was != PackageState::Missing;
        };
        let differs = |ours: &Option<String>, theirs: &Option<String>| matches!((ours, theirs), (Some(ours), Some(theirs)) if ours != theirs);
        let is_other =
            self.size_bytes != object.size_bytes || differs(&self.crc64nvme, &object.crc64nvme);
        if is_other {
            self.size_bytes = object.size_bytes;
            self.crc64nvme.clone_from(&object.crc64nvme);
            self.sha256.clone_from(&object.sha256);
        }
        let is_back = self.state == PackageState::Missing;
        if is_other || is_back {
            self.state = PackageState::Unverified;
        }
        is_other || is_back
    }

    /// Somebody looked into its archive and found nothing wrong. Whether anything changed, the answer says.
    pub fn inspected(&mut self, inspection: Inspection) -> bool {
        let is_due = self.state == PackageState::Unverified;
        if is_due {
            self.note(inspection);
        }
        is_due
    }

    fn note(&mut self, inspection: Inspection) {
        self.has_script = inspection.has_script;
        self.entries = inspection.entries;
        self.unpacked_bytes = inspection.unpacked_bytes;
        self.state = PackageState::Ready;
    }
}

/// The object is what its upload announced, as far as both are known.
pub fn compare(upload: &Upload, object: &ObjectFacts) -> Result<(), Mismatch> {
    let actual = object.size_bytes;
    if let Some(announced) = upload.size_bytes.filter(|it| *it != actual) {
        return Err(Mismatch::Size { announced, actual });
    }
    match (&upload.sha256, &object.sha256) {
        (Some(announced), Some(actual)) if announced != actual => Err(Mismatch::Checksum {
            announced: announced.clone(),
            actual: actual.clone(),
        }),
        _ => Ok(()),
    }
}
