//! Walrus's JSON: its error envelope, and what a publisher answers.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::Stored;

/// An error in Walrus's form.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    let (name, reason) = match status.as_u16() {
        400 => ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        403 => ("SIZE_EXCEEDED", "BLOB_TOO_LARGE"),
        404 => ("NOT_FOUND", "BLOB_NOT_FOUND"),
        413 => ("SIZE_EXCEEDED", "PAYLOAD_TOO_LARGE"),
        416 => ("RANGE_NOT_SATISFIABLE", "INVALID_BYTE_RANGE"),
        429 => ("RESOURCE_EXHAUSTED", "TOO_MANY_REQUESTS"),
        451 => ("UNAVAILABLE_FOR_LEGAL_REASONS", "FORBIDDEN_BLOB"),
        503 => ("UNAVAILABLE", "BLOB_UNAVAILABLE"),
        _ => ("INTERNAL", "INTERNAL"),
    };
    let body = json!({
        "error": {
            "status": name,
            "code": status.as_u16(),
            "message": message,
            "details": [{ "@type": "ErrorInfo", "reason": reason, "domain": "daemon.walrus.space" }],
        }
    });
    (status, Json(body)).into_response()
}

/// What a publisher says of a blob that it has stored.
pub(super) fn stored(stored: &Stored, new: bool) -> Json<Value> {
    // One storage epoch, of a network that has only ever been in its first.
    Json(if new {
        json!({
            "newlyCreated": {
                "blobObject": {
                    "id": stored.object_id,
                    "registeredEpoch": 1,
                    "blobId": stored.blob_id,
                    "size": stored.size,
                    "encodingType": "RS2",
                    "certifiedEpoch": 1,
                    "storage": { "id": stored.object_id, "startEpoch": 1, "endEpoch": 2, "storageSize": stored.size },
                    "deletable": false,
                },
                "resourceOperation": { "registerFromScratch": { "encodedLength": stored.size, "epochsAhead": 1 } },
                "cost": 0,
            }
        })
    } else {
        json!({
            "alreadyCertified": {
                "blobId": stored.blob_id,
                "object": stored.object_id,
                "endEpoch": 2,
            }
        })
    })
}
