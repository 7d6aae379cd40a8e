//! From an upload that is being committed to its end, whoever goes on with it: the request that began, one that asks how
//! it stands, or a synchronization. Every step may be repeated, and two may go through them at once.

use haulout_api::Problem;
use haulout_aws::{objects::Completed, registry::Published, telemetry::error_chain};
use haulout_domain::package::{Package, Upload, UploadStatus};

use crate::{Packages, inspect::Looked, refusal};

/// How often an upload is read anew that others go on with at the same time.
const ROUNDS: u32 = 4;

/// How an upload stands after all that could be done.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It is this package; nothing when that was deleted since.
    Package(Option<Box<Package>>),
    /// S3 refused its parts, and holds them still: it is open, and others may be named.
    Open(Upload, String),
    /// It did not become a package.
    Failed(Upload, String),
    /// Somebody gave it up.
    Aborted(Upload),
}

impl Packages {
    /// Goes on with an upload that is being committed, until it has ended. One that is open stays so.
    pub(crate) async fn finish(&self, mut upload: Upload) -> Result<Ended, Problem> {
        let mut why_open = String::new();
        for _ in 0..ROUNDS {
            match upload.status.clone() {
                UploadStatus::Open => return Ok(Ended::Open(upload, why_open)),
                UploadStatus::Aborted => {
                    self.clear(&upload).await;
                    return Ok(Ended::Aborted(upload));
                }
                UploadStatus::Failed { reason } => {
                    self.clear(&upload).await;
                    return Ok(Ended::Failed(upload, reason));
                }
                UploadStatus::Committed => {
                    let package = self.registry.package(&upload.package).await;
                    let package = package.map_err(refusal::registry)?;
                    let ours = package.filter(|it| it.upload_id.as_ref() == Some(&upload.id));
                    return Ok(Ended::Package(ours.map(Box::new)));
                }
                UploadStatus::Committing => {}
            }
            match Box::pin(self.advance(&upload)).await? {
                Step::Published(package) => return Ok(Ended::Package(Some(package))),
                Step::Fails(reason) => self.fail(&upload, &reason).await?,
                Step::Reopens(why) => {
                    let reopened = self
                        .registry
                        .update_upload(&upload.id, Upload::parts_refused);
                    reopened.await.map_err(refusal::registry)?;
                    why_open = why;
                }
                Step::Again => {}
            }
            let read = self.registry.upload(&upload.id).await;
            upload = read
                .map_err(refusal::registry)?
                .ok_or_else(|| refusal::unknown_upload(&upload.id))?;
        }
        Err(refusal::changing())
    }

    /// Puts the parts together, looks at the archive, and makes a package of it.
    async fn advance(&self, upload: &Upload) -> Result<Step, Problem> {
        let key = upload.key.to_string();
        let (parts, size) = (&upload.parts, upload.size_bytes);
        let completed = self
            .objects
            .complete(&key, &upload.s3_upload_id, parts, size)
            .await?;
        if let Completed::Refused { code, text } = completed {
            return Ok(Step::Reopens(format!(
                "S3 does not put these parts together ({code}: {text}). GET /uploads/{} shows what has arrived: name those parts, or upload what is missing.",
                upload.id
            )));
        }
        let Some(object) = self.objects.head(&key).await? else {
            return Ok(Step::Fails(
                "its parts are not in the bucket any more: they are kept for a day".to_owned(),
            ));
        };
        let (facts, inspection) = match self.look(&key, &object).await? {
            Looked::Good(facts, inspection) => (facts, inspection),
            Looked::Bad(reason) => return Ok(Step::Fails(reason)),
            Looked::Changed => return Ok(Step::Again),
        };
        let now = self.clock.now();
        let package = match Package::published(upload, &facts, inspection, now) {
            Ok(package) => package,
            Err(mismatch) => return Ok(Step::Fails(mismatch.to_string())),
        };
        let mut after = upload.clone();
        after.committed();
        let published = self.registry.publish(&package, upload, &after).await;
        match published.map_err(refusal::registry)? {
            Published::Done => {
                tracing::info!(upload_id = %upload.id, package = %upload.package, by = upload.owner, "published");
                self.count("commit", "published");
                Ok(Step::Published(Box::new(package)))
            }
            Published::Taken(_) => Ok(Step::Fails(refusal::version_exists_reason(&upload.package))),
            Published::Changed => Ok(Step::Again),
        }
    }

    /// Writes down that an upload will not become a package. What it left in the bucket goes afterwards.
    pub(crate) async fn fail(&self, upload: &Upload, reason: &str) -> Result<(), Problem> {
        let failed = self
            .registry
            .update_upload(&upload.id, |upload| upload.failed(reason))
            .await;
        if failed
            .map_err(refusal::registry)?
            .is_some_and(|(_, is_new)| is_new)
        {
            tracing::info!(upload_id = %upload.id, package = %upload.package, reason, "an upload failed");
            self.count("commit", "failed");
        }
        Ok(())
    }

    /// Deletes what an upload left in the bucket that did not become a package. What cannot be deleted now, the next
    /// request for it deletes, or a synchronization.
    pub(crate) async fn clear(&self, upload: &Upload) {
        let key = upload.key.to_string();
        let aborted = self.objects.abort(&key, &upload.s3_upload_id).await;
        let deleted = self.objects.delete(&key).await;
        for error in [aborted.err(), deleted.err()].into_iter().flatten() {
            tracing::warn!(
                key,
                error = error_chain(&error),
                "what an upload left behind is still there"
            );
        }
    }
}

/// What came of an attempt.
#[derive(Debug)]
enum Step {
    /// It is a package.
    Published(Box<Package>),
    /// It will not be one, for this reason.
    Fails(String),
    /// S3 refused the parts, for this reason.
    Reopens(String),
    /// Something changed meanwhile.
    Again,
}
