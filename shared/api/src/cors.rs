//! Cross-origin requests (the Fetch standard's CORS protocol) for the origins a deployment names. Written out because
//! tower-http's layer answers every OPTIONS request itself, whether it is a preflight or asks what a path allows.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use haulout_aws::env::{self, EnvError};
use http::{
    HeaderValue, Method, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, prefer");
const EXPOSED: HeaderValue = HeaderValue::from_static("location, retry-after, x-request-id");
/// How long a browser may remember a preflight's answer, in seconds: what Chromium allows at most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may call the API. None by default.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Arc<[HeaderValue]>,
}

/// An entry of the list that is no origin.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not an origin: write scheme://host[:port] in lower case, without a path")]
pub struct NotAnOrigin(String);

impl Cors {
    /// Allows these origins, exactly as a browser writes them. No wildcard.
    ///
    /// # Errors
    /// The first entry that is not an origin.
    pub fn new(origins: impl IntoIterator<Item = String>) -> Result<Self, NotAnOrigin> {
        let origins: Result<Vec<_>, _> = origins.into_iter().map(origin).collect();
        Ok(Self {
            origins: origins?.into(),
        })
    }

    /// Allows what `HAULOUT_CORS_ORIGINS` lists.
    ///
    /// # Errors
    /// The first entry that is not an origin.
    pub fn from_env() -> Result<Self, EnvError> {
        const NAME: &str = "HAULOUT_CORS_ORIGINS";
        Self::new(env::list(NAME)).map_err(|error| EnvError::Malformed {
            name: NAME,
            value: error.0.clone(),
            source: Box::new(error),
        })
    }
}

fn origin(text: String) -> Result<HeaderValue, NotAnOrigin> {
    let parsed: Option<Uri> = text.parse().ok();
    let canonical = parsed.and_then(|uri| {
        let scheme = uri
            .scheme_str()
            .filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = uri.authority()?;
        Some(format!("{scheme}://{authority}").to_ascii_lowercase())
    });
    match HeaderValue::from_str(&text) {
        Ok(value) if canonical.as_deref() == Some(&text) && !text.contains(['@', '*']) => Ok(value),
        _ => Err(NotAnOrigin(text)),
    }
}

/// Answers preflights, and marks answers so that a page of an allowed origin may read them.
pub(crate) async fn cors(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    if cors.origins.is_empty() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers
        .get(ORIGIN)
        .filter(|origin| cors.origins.contains(origin))
        .cloned();
    let preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight && origin.is_some() {
        [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ]
        .into_response()
    } else {
        next.run(request).await
    };
    if preflight && origin.is_some() {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let headers = response.headers_mut();
    // Also without an origin: caches must not hand that answer to a page of an allowed one.
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}
