//! POST /abort/{upload_id}: gives an upload up.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Path, Problem};

use crate::{Deleted, Packages, refusal};

/// Give an upload up.
///
/// Its parts are deleted. Aborting again changes nothing. What is being committed, or is a package, stays.
#[utoipa::path(
    post,
    path = "/abort/{upload_id}",
    tag = "packages",
    params(("upload_id" = haulout_domain::package::UploadId, Path, description = "Of POST /init")),
    responses(
        (status = 200, body = Deleted),
        (status = 404, description = "No such upload", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "It is being committed, or is a package", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn abort(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, Problem> {
    let upload = packages.find_upload(&id).await?;
    caller.may_change(&upload.owner)?;
    let aborted = packages
        .registry
        .update_upload(&upload.id, haulout_domain::package::Upload::abort)
        .await
        .map_err(refusal::registry)?;
    let (upload, said) = aborted.ok_or_else(|| refusal::unknown_upload(&upload.id))?;
    let is_new = said.map_err(|refused| refusal::upload(&upload.package, &refused))?;
    // Also when it was given up before: that may have been cut off here.
    packages.clear(&upload).await;
    if is_new {
        tracing::info!(upload_id = %upload.id, by = caller.name, "an upload is given up");
        packages.count("commit", "aborted");
    }
    Ok(Json(Deleted {
        message: "The upload is given up, and its parts are deleted.",
        package: upload.package,
    }))
}
