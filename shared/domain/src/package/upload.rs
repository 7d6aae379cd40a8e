//! An upload's record, from POST /init to its end. The bytes go to S3 in parts; what is here decides what an upload may
//! still do. Every transition may be repeated and then changes nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use super::announce::{MAX_DESCRIPTION, MAX_GROUPS, MAX_RULE, NewUpload, NewUploadError};
use super::{
    name::PackageRef,
    object::{ObjectKey, UploadId},
    part::{Part, PartsError, check_parts},
};
use crate::{blob::Sha256Hex, identity::GroupName};

/// Form of the record; a later one adds to it what older code may ignore.
pub const SCHEMA: u32 = 1;

/// How long an upload is open.
pub const OPEN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UploadStatus {
    /// Takes parts.
    Open,
    /// The parts are being put together and looked at. Whatever was cut off here goes on from here.
    Committing,
    /// It is a package now.
    Committed,
    /// Given up by somebody, or too old.
    Aborted,
    /// It did not become a package.
    Failed {
        /// Why, fit for a caller.
        reason: String,
    },
}

impl UploadStatus {
    /// The word used in JSON and in logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Failed { .. } => "failed",
        }
    }

    /// Nothing happens to it any more.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Open | Self::Committing)
    }
}

/// An upload's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Ours.
    pub id: UploadId,
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// Counts writes; every write is conditional on it.
    pub version: u64,
    /// What it is to become.
    pub package: PackageRef,
    /// S3's id of the multipart upload.
    pub s3_upload_id: String,
    /// Where its bytes go.
    pub key: ObjectKey,
    /// Who asked for it.
    pub owner: String,
    /// In a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Only for the owner and the groups below.
    #[serde(default)]
    pub is_sensitive: bool,
    /// Whose members get it.
    #[serde(default)]
    pub allowed_groups: BTreeSet<GroupName>,
    /// What its owner said of its size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// What its owner said of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hex>,
    /// A condition on who gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Bytes in each part but the last.
    pub part_size: u64,
    /// Where it stands.
    pub status: UploadStatus,
    /// What it is put together from, since its commit.
    #[serde(default, with = "super::part::kept")]
    pub parts: Vec<Part>,
    /// When it began.
    pub created_at: Timestamp,
    /// Until when it takes parts.
    pub expires_at: Timestamp,
}

/// Why an upload does not do what it is asked to. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefusal {
    /// Its time is over.
    #[error("the upload expired at {0}: start another one with POST /init")]
    Expired(Timestamp),
    /// Given up.
    #[error("the upload was aborted: start another one with POST /init")]
    Aborted,
    /// Being put together.
    #[error("the upload is being committed: ask GET /uploads/{{upload_id}} how it ends")]
    Committing,
    /// Being put together from other parts than these.
    #[error(
        "the upload is being committed with other parts: ask GET /uploads/{{upload_id}} how it ends"
    )]
    OtherParts,
    /// A package already.
    #[error(
        "the upload is committed: its package is there. Start another upload with POST /init for another version"
    )]
    Committed,
    /// It did not become a package.
    #[error("the upload failed: {0}. Start another one with POST /init")]
    Failed(String),
    /// These parts make no archive.
    #[error(transparent)]
    Parts(#[from] PartsError),
}

/// What a commit has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitStep {
    /// Put the parts together, look at the archive, write the package's record.
    Complete,
    /// Nothing: the package is there.
    Done,
}

impl Upload {
    /// The record of an upload that S3 has begun.
    pub fn open(
        new: NewUpload,
        s3_upload_id: String,
        now: Timestamp,
    ) -> Result<Self, NewUploadError> {
        let part_size = new.check()?;
        Ok(Self {
            key: new.key(),
            id: new.id,
            schema: SCHEMA,
            version: 1,
            package: new.package,
            s3_upload_id,
            owner: new.owner,
            description: new.description,
            is_sensitive: new.is_sensitive,
            allowed_groups: new.allowed_groups,
            size_bytes: new.size_bytes,
            sha256: new.sha256,
            rule: new.rule,
            part_size,
            status: UploadStatus::Open,
            parts: Vec::new(),
            created_at: now,
            expires_at: now.saturating_add(OPEN_FOR).unwrap_or(now),
        })
    }

    /// Whether another part may be sent.
    pub fn may_take_parts(&self, now: Timestamp) -> Result<(), UploadRefusal> {
        match &self.status {
            UploadStatus::Open if now < self.expires_at => Ok(()),
            UploadStatus::Open => Err(UploadRefusal::Expired(self.expires_at)),
            UploadStatus::Committing => Err(UploadRefusal::Committing),
            UploadStatus::Committed => Err(UploadRefusal::Committed),
            UploadStatus::Aborted => Err(UploadRefusal::Aborted),
            UploadStatus::Failed { reason } => Err(UploadRefusal::Failed(reason.clone())),
        }
    }

    /// It is to become a package, from these parts. A commit that was cut off goes on with the same parts, however
    /// late.
    pub fn commit(
        &mut self,
        parts: Vec<Part>,
        now: Timestamp,
    ) -> Result<CommitStep, UploadRefusal> {
        match &self.status {
            UploadStatus::Committed => return Ok(CommitStep::Done),
            UploadStatus::Committing if self.parts == parts => return Ok(CommitStep::Complete),
            UploadStatus::Committing => return Err(UploadRefusal::OtherParts),
            _ => self.may_take_parts(now)?,
        }
        check_parts(&parts)?;
        self.parts = parts;
        self.status = UploadStatus::Committing;
        Ok(CommitStep::Complete)
    }

    /// S3 refused the parts, and holds them still: the caller may name others.
    pub fn parts_refused(&mut self) -> bool {
        let is_so = self.status == UploadStatus::Committing;
        if is_so {
            self.parts.clear();
            self.status = UploadStatus::Open;
        }
        is_so
    }

    /// The package's record is written, in the same transaction as this.
    pub fn committed(&mut self) -> bool {
        self.leave(&[UploadStatus::Committing], UploadStatus::Committed)
    }

    /// It will not become a package; its object is to be deleted.
    pub fn failed(&mut self, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        let from = [UploadStatus::Open, UploadStatus::Committing];
        self.leave(&from, UploadStatus::Failed { reason })
    }

    /// Its owner gives it up. One that failed or was given up before stays as it is; whether anything changed, the
    /// answer says.
    pub fn abort(&mut self) -> Result<bool, UploadRefusal> {
        match &self.status {
            UploadStatus::Committing => Err(UploadRefusal::Committing),
            UploadStatus::Committed => Err(UploadRefusal::Committed),
            _ => Ok(self.leave(&[UploadStatus::Open], UploadStatus::Aborted)),
        }
    }

    /// Gives it up when its time is over and nobody has begun to commit it.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        now >= self.expires_at && self.leave(&[UploadStatus::Open], UploadStatus::Aborted)
    }

    fn leave(&mut self, from: &[UploadStatus], to: UploadStatus) -> bool {
        let is_there = from.contains(&self.status);
        if is_there {
            self.status = to;
        }
        is_there
    }
}
