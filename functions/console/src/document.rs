//! `GET /openapi.json`: the committed document, built into the binary.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use haulout_api::routes::Paths;
use haulout_domain::pool::RESERVED;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

const DOCUMENT: &str = include_str!("../../../openapi.json");

/// Names this version of the document.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(DOCUMENT);
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..12]))
});

/// The OpenAPI document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object),
        (status = 304, description = "The version in `If-None-Match` is the current one")
    )
)]
pub(crate) async fn openapi_json(headers: HeaderMap) -> Response {
    cached(&headers, &VERSION, "application/json", || {
        DOCUMENT.into_response()
    })
}

/// An answer that may be kept, but must be asked about each time: 304 when the caller has this version.
pub(crate) fn cached(
    headers: &HeaderMap,
    version: &str,
    content_type: &'static str,
    body: impl FnOnce() -> Response,
) -> Response {
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|tags| {
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || strong(tag) == strong(version))
        })
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = body();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert(ETAG, version);
    }
    response
}

/// Weak comparison (RFC 9110, section 8.8.3.2).
fn strong(tag: &str) -> &str {
    tag.trim_start_matches("W/")
}

/// The paths of all functions, with their methods.
pub(crate) fn paths() -> Paths {
    const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
    #[derive(Deserialize)]
    struct Document {
        paths: std::collections::BTreeMap<String, serde_json::Map<String, Value>>,
    }
    // The document is compiled in, and a test reads it: were it broken, every path would be unknown.
    let paths = serde_json::from_str::<Document>(DOCUMENT)
        .map(|document| document.paths)
        .unwrap_or_default();
    Paths::new(paths.into_iter().map(|(path, item)| {
        let methods = METHODS
            .iter()
            .filter(|method| item.contains_key(**method))
            .map(|method| method.to_uppercase())
            .collect();
        (path, methods)
    }))
    .reserving(RESERVED)
}
