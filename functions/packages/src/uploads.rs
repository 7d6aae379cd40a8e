//! GET /uploads/{upload_id}: how an upload stands.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Path, Problem};
use haulout_domain::package::UploadStatus;

use crate::{Packages, ReceivedPart, UploadView, finish::Ended};

/// Read an upload.
///
/// With the parts that have arrived, while it is open: whoever was cut off goes on from there. A commit that was cut off
/// is gone on with.
#[utoipa::path(
    get,
    path = "/uploads/{upload_id}",
    tag = "packages",
    params(("upload_id" = haulout_domain::package::UploadId, Path, description = "Of POST /init")),
    responses(
        (status = 200, body = UploadView),
        (status = 404, description = "No such upload", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn get(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<UploadView>, Problem> {
    let mut upload = packages.find_upload(&id).await?;
    caller.may_see(&upload.owner)?;
    if upload.status == UploadStatus::Committing {
        upload = match packages.finish(upload).await? {
            Ended::Package(_) => packages.find_upload(&id).await?,
            Ended::Open(upload, _) | Ended::Failed(upload, _) | Ended::Aborted(upload) => upload,
        };
    }
    let mut parts = Vec::new();
    if upload.status == UploadStatus::Open {
        let key = upload.key.to_string();
        let arrived = packages.objects.parts(&key, &upload.s3_upload_id).await?;
        parts = arrived
            .unwrap_or_default()
            .into_iter()
            .map(|part| ReceivedPart {
                number: part.number,
                etag: part.etag,
                size_bytes: part.size_bytes,
            })
            .collect();
    }
    Ok(Json(UploadView::new(upload, parts)))
}
