//! POST /init: begins an upload.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use haulout_api::{Caller, Code, IdempotencyKey, Json, Problem};
use haulout_aws::{
    registry::{Began, Repeatable},
    telemetry::error_chain,
};
use haulout_domain::{digest, package::Upload};
use http::header::CONTENT_TYPE;

use crate::{InitUpload, Packages, Started, refusal};

/// Begin an upload.
///
/// The archive then goes to S3 in parts (POST /part), and becomes a package with POST /commit. It is a zip file with a
/// top folder `model/`. A version is uploaded once: of two uploads of one version, the one that is committed first stays.
#[utoipa::path(
    post,
    path = "/init",
    tag = "packages",
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Repeating the request with the same key and body gives the same answer, and no second upload")),
    request_body = InitUpload,
    responses(
        (status = 200, body = Started),
        (status = 409, description = "There is such a version, or the idempotency key was used with another body", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn init(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<InitUpload>,
) -> Result<Response, Problem> {
    let now = packages.clock.now();
    let fingerprint = digest::sha256_hex(&serde_json::to_vec(&body).map_err(Problem::internal)?);
    let new = body.begin(&caller.name)?;
    let mut key = key.map(|key| Repeatable {
        scope: digest::sha256_hex(format!("POST /init\n{}\n{key}", caller.name).as_bytes()),
        fingerprint,
        answer: String::new(),
    });
    if let Some(key) = &key
        && let Some(before) = packages
            .registry
            .began_before(key, now)
            .await
            .map_err(refusal::registry)?
    {
        return answer(before, "");
    }
    let there = packages.registry.package(&new.package).await;
    if there.map_err(refusal::registry)?.is_some() {
        packages.count("init", "version_exists");
        return Err(refusal::version_exists(&new.package));
    }
    // An upload at S3 that no record names ends by the bucket's lifecycle rule. It has no parts and costs nothing.
    let s3_upload_id = packages.objects.begin(&new.key().to_string()).await?;
    let upload =
        Upload::open(new, s3_upload_id, now).map_err(|error| refusal::new_upload(&error))?;
    let started = serde_json::to_string(&Started {
        upload_id: upload.id.clone(),
        part_size: upload.part_size,
        expires_at: upload.expires_at,
    })
    .map_err(Problem::internal)?;
    if let Some(key) = &mut key {
        key.answer.clone_from(&started);
    }
    let began = packages
        .registry
        .begin_upload(&upload, key.as_ref(), now)
        .await;
    let began = began.map_err(refusal::registry)?;
    if began == Began::New {
        tracing::info!(upload_id = %upload.id, package = %upload.package, by = caller.name, "an upload begins");
        packages.count("init", "begun");
    } else {
        packages.forget(&upload).await;
    }
    answer(began, &started)
}

fn answer(began: Began, started: &str) -> Result<Response, Problem> {
    let text = match began {
        Began::New => started.to_owned(),
        Began::Before(answer) => answer,
        Began::OtherRequest => {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used with another body in the last 24 hours. Use a new key for a new request.",
            ));
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

impl Packages {
    /// Ends an upload at S3 that has lost against another request with the same key. The lifecycle rule would, too.
    async fn forget(&self, upload: &Upload) {
        let key = upload.key.to_string();
        if let Err(error) = self.objects.abort(&key, &upload.s3_upload_id).await {
            tracing::warn!(
                key,
                error = error_chain(&error),
                "an upload that nobody needs stays until its time is over"
            );
        }
    }
}
