//! One pass over records and bucket, in three stages: uploads, then packages, then objects. It goes as far as it may, and
//! the next one goes on from there. Trouble with one thing does not keep it from the others.

use std::time::Duration;

use haulout_api::Problem;
use haulout_aws::{
    error::AwsError,
    registry::{OpenPosition, RegistryError},
};
use haulout_domain::package::{ObjectKey, PackageRef};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::{error::Elapsed, timeout};

use crate::{Packages, SyncProblem, SyncReport, refusal};

/// Uploads, and packages, that are read at once.
const PAGE: i32 = 50;

/// How far a pass went: after these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "after", rename_all = "snake_case")]
pub(crate) enum Position {
    Uploads(Option<OpenPosition>),
    Packages(Option<PackageRef>),
    Objects(Option<String>),
}

impl Position {
    /// Before everything.
    pub(crate) const START: Self = Self::Uploads(None);
}

/// Why a pass ends early: of what would come next, nothing could be told either.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The tables.
    #[error("the registry's tables do not answer")]
    Registry(#[source] RegistryError),
    /// The bucket as a whole.
    #[error("the bucket cannot be listed")]
    Bucket(#[source] AwsError),
}

impl From<PassError> for Problem {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Registry(error) => refusal::registry(error),
            PassError::Bucket(error) => error.into(),
        }
    }
}

/// Why one thing is left as it is.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// For a reason of its own.
    Here(String),
    /// For one that all others have too.
    Everywhere(RegistryError),
}

/// DynamoDB's own trouble is everybody's. A row that is odd, or keeps changing, is not.
impl From<RegistryError> for Trouble {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Aws(_) => Self::Everywhere(error),
            RegistryError::Conflict(_) | RegistryError::Shape(_) => Self::Here(format!(
                "its record cannot be written ({error}): the next synchronization tries it again"
            )),
        }
    }
}

/// What S3 says of one object is said of that one.
impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        unseen(&error)
    }
}

/// Looking into an archive asks S3 alone.
impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        match problem.cause() {
            Some(cause) => unseen(&cause),
            None => unseen(&problem.detail()),
        }
    }
}

fn unseen(why: &dyn std::fmt::Display) -> Trouble {
    Trouble::Here(format!(
        "S3 does not show its archive ({why}): see that it, and the key it is encrypted with, can be used; the next synchronization tries it again"
    ))
}

/// What a pass may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// It begins nothing after this.
    pub(crate) works: SignedDuration,
    /// It gives one thing up after this: what was begun there may be repeated.
    pub(crate) patience: Duration,
    /// It looks at this many things.
    pub(crate) items: u32,
}

/// A pass.
pub(crate) struct Pass<'a> {
    pub(crate) packages: &'a Packages,
    /// Whose archives without a record become.
    pub(crate) owner: &'a str,
    pub(crate) report: SyncReport,
    until: Timestamp,
    patience: Duration,
    left: u32,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(packages: &'a Packages, owner: &'a str, bounds: Bounds) -> Self {
        let now = packages.clock.now();
        Self {
            packages,
            owner,
            report: SyncReport::default(),
            until: now.saturating_add(bounds.works).unwrap_or(now),
            patience: bounds.patience,
            left: bounds.items,
        }
    }

    /// It has done what it may.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0 || self.packages.clock.now() >= self.until
    }

    /// Counts one thing that was looked at; false when it was the last.
    fn goes_on(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        !self.is_over()
    }

    /// Something that is left as it is.
    pub(crate) fn problem(&mut self, what: &impl ToString, problem: &impl ToString) {
        let (what, problem) = (what.to_string(), problem.to_string());
        tracing::warn!(what, problem, "left as it is");
        self.report.problems.push(SyncProblem { what, problem });
    }

    /// What came of one thing, given so long; where nothing did, why not is told.
    pub(crate) fn settle<T>(
        &mut self,
        what: &impl ToString,
        done: Result<Result<T, Trouble>, Elapsed>,
    ) -> Result<Option<T>, PassError> {
        let why = match done {
            Ok(Ok(done)) => return Ok(Some(done)),
            Ok(Err(Trouble::Everywhere(error))) => return Err(PassError::Registry(error)),
            Ok(Err(Trouble::Here(why))) => why,
            Err(_) => format!(
                "it takes longer than {} s: the next synchronization tries it again",
                self.patience.as_secs()
            ),
        };
        self.problem(what, &why);
        Ok(None)
    }

    /// Some steps from a position on; the position after them, or nothing at the end.
    pub(crate) async fn step(
        &mut self,
        position: &Position,
    ) -> Result<Option<Position>, PassError> {
        match position {
            Position::Uploads(after) => self.uploads(after.as_ref()).await.map(Some),
            Position::Packages(after) => self.records(after.as_ref()).await.map(Some),
            Position::Objects(after) => self.objects(after.as_deref()).await,
        }
    }

    async fn uploads(&mut self, after: Option<&OpenPosition>) -> Result<Position, PassError> {
        let uploads = self.packages.registry.open_uploads(after, PAGE).await;
        let mut after = None;
        for upload in uploads.map_err(PassError::Registry)? {
            after = Some(OpenPosition::of(&upload));
            let id = upload.id.clone();
            let done = timeout(self.patience, Box::pin(self.upload(upload))).await;
            self.settle(&id, done)?;
            if !self.goes_on() {
                break;
            }
        }
        Ok(match after {
            None => Position::Packages(None),
            after => Position::Uploads(after),
        })
    }

    async fn records(&mut self, after: Option<&PackageRef>) -> Result<Position, PassError> {
        let page = self.packages.registry.packages(after, PAGE).await;
        let mut after = None;
        for package in page.map_err(PassError::Registry)?.packages {
            let reference = package.reference();
            let done = timeout(self.patience, Box::pin(self.package(package))).await;
            self.settle(&reference, done)?;
            after = Some(reference);
            if !self.goes_on() {
                break;
            }
        }
        Ok(match after {
            None => Position::Objects(None),
            after => Position::Packages(after),
        })
    }

    async fn objects(&mut self, after: Option<&str>) -> Result<Option<Position>, PassError> {
        let page = self.packages.objects.list(ObjectKey::ROOT, after).await;
        let mut after = None;
        for key in page.map_err(PassError::Bucket)?.keys {
            let done = timeout(self.patience, Box::pin(self.object(&key))).await;
            self.settle(&key, done)?;
            after = Some(key);
            if !self.goes_on() {
                break;
            }
        }
        Ok(after.map(|after| Position::Objects(Some(after))))
    }
}
