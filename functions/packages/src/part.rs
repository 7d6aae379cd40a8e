//! POST /part/{upload_id}: where a part goes.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Path, Problem, Query};
use haulout_domain::package::part::check_part_number;

use crate::{Packages, PartUrl, refusal, request::PartQuery};

/// How long the URL of a part is good, at most: a part may be large, and a line slow.
const LASTS: Duration = Duration::from_hours(1);
/// Characters of eight bytes in base64.
const CRC64_LEN: usize = 12;

/// Get the URL for a part.
///
/// PUT the bytes there, with the answer's `headers`; S3 answers with the header ETag, which POST /commit wants. A part that
/// is sent again takes the place of the one before.
#[utoipa::path(
    post,
    path = "/part/{upload_id}",
    tag = "packages",
    params(("upload_id" = haulout_domain::package::UploadId, Path, description = "Of POST /init"), PartQuery),
    responses(
        (status = 200, body = PartUrl),
        (status = 404, description = "No such upload", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "The upload has ended", body = haulout_api::problem::ProblemBody),
        (status = 410, description = "The upload's time is over", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn part(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<PartQuery>,
) -> Result<Json<PartUrl>, Problem> {
    let PartQuery {
        part_number,
        crc64nvme,
    } = query;
    check_part_number(part_number).map_err(|error| {
        Problem::new(
            Code::InvalidQuery,
            format!("Query parameter `part_number`: {error}."),
        )
    })?;
    check_crc(crc64nvme.as_deref())?;
    let upload = packages.find_upload(&id).await?;
    caller.may_change(&upload.owner)?;
    let now = packages.clock.now();
    upload
        .may_take_parts(now)
        .map_err(|refused| refusal::upload(&upload.package, &refused))?;
    let left = upload.expires_at.duration_since(now);
    // S3 counts in seconds, and takes no URL that lasts for none.
    let left = Duration::from_secs(left.as_secs().unsigned_abs().max(1));
    let lasts = left.min(LASTS);
    let signed = packages
        .objects
        .presign_part(
            &upload.key.to_string(),
            &upload.s3_upload_id,
            part_number,
            crc64nvme,
            now,
            lasts,
        )
        .await?;
    Ok(Json(PartUrl {
        url: signed.url,
        headers: signed.headers,
        expires_at: now.saturating_add(lasts).map_err(Problem::internal)?,
    }))
}

fn check_crc(crc64nvme: Option<&str>) -> Result<(), Problem> {
    let is_base64 = |text: &str| {
        text.len() == CRC64_LEN
            && text.ends_with('=')
            && text
                .trim_end_matches('=')
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    if crc64nvme.is_none_or(is_base64) {
        return Ok(());
    }
    Err(Problem::new(
        Code::InvalidQuery,
        "Query parameter `crc64nvme`: give the CRC64NVME of the part's bytes as 12 characters in base64 (with '+' as %2B), or leave it out.",
    ))
}
