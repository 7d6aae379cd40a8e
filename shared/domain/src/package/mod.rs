//! Packages: archives kept in the registry under a name and a version. What they may be called ([`name`], [`version`],
//! [`object`]), how they are uploaded ([`upload`], [`part`]), what an archive holds ([`archive`]), what is kept of one
//! ([`record`]), who gets it ([`mod@decide`], and behind the feature `rules`: `rule` and `judge`), and what machines stage
//! ([`stage`]).

mod announce;
pub mod archive;
pub mod decide;
#[cfg(feature = "rules")]
pub mod judge;
pub mod name;
pub mod object;
pub mod part;
pub mod record;
#[cfg(feature = "rules")]
pub mod rule;
pub mod stage;
#[cfg(test)]
mod tests;
mod text;
pub mod upload;
pub mod version;

pub use self::{
    archive::Inspection,
    decide::{Decision, Requester, RuleOutcome, decide},
    name::{PackageName, PackageRef},
    object::{ObjectKey, UploadId},
    part::{ETag, Part},
    record::{ObjectFacts, Package, PackageState},
    stage::{PoolRefusal, Unfit, admit_to_pool},
    upload::{NewUpload, Upload, UploadStatus},
    version::PackageVersion,
};
