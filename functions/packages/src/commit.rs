//! POST /commit/{upload_id}: makes a package of an upload.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, LargeJson, Path, Problem};
use haulout_domain::package::{
    Part, Upload, UploadStatus, part::check_parts, upload::UploadRefusal,
};

use crate::{Commit, PackageView, Packages, finish::Ended, refusal};

/// S3 puts no smaller parts together, but for the last one (Amazon S3 User Guide, "multipart upload limits").
const LEAST_PART: u64 = 5 << 20;

/// Make a package of an upload.
///
/// The parts are put together, their size is compared with what was announced, and the archive is looked into. Sending
/// the same request again gives the same answer, and goes on with what was cut off. Where parts are missing or are not
/// those that arrived, the upload stays open; where the archive itself is refused, it has failed and its bytes are
/// deleted.
#[utoipa::path(
    post,
    path = "/commit/{upload_id}",
    tag = "packages",
    params(("upload_id" = haulout_domain::package::UploadId, Path, description = "Of POST /init")),
    request_body = Commit,
    responses(
        (status = 200, body = PackageView),
        (status = 404, description = "No such upload", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "There is such a version, or the upload has ended", body = haulout_api::problem::ProblemBody),
        (status = 410, description = "The upload's time is over", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn commit(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    LargeJson(Commit { parts }): LargeJson<Commit>,
) -> Result<Json<PackageView>, Problem> {
    let upload = packages.find_upload(&id).await?;
    caller.may_change(&upload.owner)?;
    let upload = if upload.status == UploadStatus::Open {
        packages.start_commit(upload, parts).await?
    } else {
        resume(upload, &parts)?
    };
    let package = upload.package.clone();
    match packages.finish(upload).await? {
        Ended::Package(Some(package)) => Ok(Json((*package).into())),
        Ended::Package(None) => Err(refusal::unknown_package(&package)),
        Ended::Open(_, why) => Err(Problem::new(Code::InvalidParts, why)),
        Ended::Failed(_, reason) => Err(refusal::failed(&package, &reason)),
        Ended::Aborted(_) => Err(refusal::upload(&package, &UploadRefusal::Aborted)),
    }
}

impl Packages {
    /// Freezes the parts of an open upload, when they look as if they would make the archive.
    async fn start_commit(&self, upload: Upload, parts: Vec<Part>) -> Result<Upload, Problem> {
        let now = self.clock.now();
        let package = upload.package.clone();
        let refuse = |refused: &UploadRefusal| refusal::upload(&package, refused);
        upload.may_take_parts(now).map_err(|error| refuse(&error))?;
        check_parts(&parts).map_err(|error| refuse(&error.into()))?;
        let there = self.registry.package(&package).await;
        if there.map_err(refusal::registry)?.is_some() {
            // Somebody else was faster: nothing has to be put together for that.
            let reason = refusal::version_exists_reason(&package);
            self.fail(&upload, &reason).await?;
            return self.find_upload(upload.id.as_str()).await;
        }
        self.compare(&upload, &parts).await?;
        let committing = self
            .registry
            .update_upload(&upload.id, |upload| upload.commit(parts.clone(), now))
            .await
            .map_err(refusal::registry)?;
        let (upload, step) = committing.ok_or_else(|| refusal::unknown_upload(&upload.id))?;
        match step {
            Ok(_) | Err(UploadRefusal::Failed(_)) => Ok(upload),
            Err(refused) => Err(refuse(&refused)),
        }
    }

    /// Compares the parts named with those that arrived. S3 would refuse them, too, but not say which of them, and find
    /// out about the size only when it has put them together.
    async fn compare(&self, upload: &Upload, parts: &[Part]) -> Result<(), Problem> {
        let key = upload.key.to_string();
        let Some(arrived) = self.objects.parts(&key, &upload.s3_upload_id).await? else {
            // Completed or aborted by others: whoever goes on finds out.
            return Ok(());
        };
        let arrived: BTreeMap<_, _> = arrived.iter().map(|part| (part.number, part)).collect();
        let refuse = |detail: String| Err(Problem::new(Code::InvalidParts, detail));
        let mut size = 0;
        for (position, part) in parts.iter().enumerate() {
            let number = part.number;
            let Some(there) = arrived.get(&number) else {
                return refuse(format!(
                    "Part {number} has not arrived: upload it, or leave it out."
                ));
            };
            if there.etag != part.etag {
                return refuse(format!(
                    "Part {number} has the ETag \"{}\", not \"{}\": it was uploaded again, or another one was meant. GET /uploads/{} shows all of them.",
                    there.etag, part.etag, upload.id
                ));
            }
            if there.size_bytes < LEAST_PART && position + 1 < parts.len() {
                return refuse(format!(
                    "Part {number} has {} bytes: every part but the last has at least {LEAST_PART}. Upload it again with more.",
                    there.size_bytes
                ));
            }
            size += there.size_bytes;
        }
        match upload.size_bytes {
            Some(announced) if announced != size => refuse(format!(
                "The parts named have {size} bytes together, POST /init announced {announced}: name all parts, upload what is missing, or replace what is too large."
            )),
            _ => Ok(()),
        }
    }
}

/// An upload that somebody began to commit: with the same parts, it goes on.
fn resume(upload: Upload, parts: &[Part]) -> Result<Upload, Problem> {
    if upload.status == UploadStatus::Committing && upload.parts != parts {
        return Err(refusal::upload(&upload.package, &UploadRefusal::OtherParts));
    }
    Ok(upload)
}
