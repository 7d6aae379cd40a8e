//! What is said of an archive before it is uploaded, and what of that is refused at once.

use std::collections::BTreeSet;

use super::{
    name::PackageRef,
    object::{ObjectKey, UploadId},
    part::{SizeError, part_size},
};
use crate::{blob::Sha256Hex, identity::GroupName};

/// The most characters of a description.
pub const MAX_DESCRIPTION: usize = 1000;

/// The most groups a package is for.
pub const MAX_GROUPS: usize = 100;

/// The most bytes of a rule.
pub const MAX_RULE: usize = 4096;

/// What POST /init asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Ours.
    pub id: UploadId,
    /// What it is to become.
    pub package: PackageRef,
    /// Who asked for it.
    pub owner: String,
    /// In a few words.
    pub description: Option<String>,
    /// Only for the owner and the groups below.
    pub is_sensitive: bool,
    /// Whose members get it. Naming any makes it theirs alone, sensitive or not.
    pub allowed_groups: BTreeSet<GroupName>,
    /// How large the archive is, if that is known already, in bytes.
    pub size_bytes: Option<u64>,
    /// What its bytes add up to, if that is known already.
    pub sha256: Option<Sha256Hex>,
    /// A condition on who gets it, as `super::rule` reads it.
    pub rule: Option<String>,
}

/// Why an upload cannot begin. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewUploadError {
    /// Too large, or nothing at all.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// Too long.
    #[error("description has {0} characters: give at most {MAX_DESCRIPTION}")]
    Description(usize),
    /// Too many.
    #[error("allowed_groups names {0} groups: give at most {MAX_GROUPS}")]
    Groups(usize),
    /// Too long.
    #[error("rule has {0} bytes: give at most {MAX_RULE}")]
    Rule(usize),
}

impl NewUpload {
    /// Looks at what can be told from the request alone; the answer is the size of a part in bytes. Whether the rule
    /// can be read, `super::rule::check` says.
    pub fn check(&self) -> Result<u64, NewUploadError> {
        let characters = self.description.as_ref().map_or(0, |it| it.chars().count());
        let rule = self.rule.as_ref().map_or(0, String::len);
        if characters > MAX_DESCRIPTION {
            Err(NewUploadError::Description(characters))
        } else if self.allowed_groups.len() > MAX_GROUPS {
            Err(NewUploadError::Groups(self.allowed_groups.len()))
        } else if rule > MAX_RULE {
            Err(NewUploadError::Rule(rule))
        } else {
            Ok(part_size(self.size_bytes)?)
        }
    }

    /// Where its bytes go.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(self.package.clone(), &self.id)
    }
}
