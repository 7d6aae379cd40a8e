//! `GET /` and `GET /health`.

use axum::response::{IntoResponse, Response};
use haulout_api::Json;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, VARY},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::page;

/// That the service answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// What this is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Service {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Always `haulout`.
    #[schema(example = "haulout")]
    service: &'static str,
}

/// Whether the service answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses((status = 200, description = "It does", body = Health))
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The start page for a browser, and what this is for a program.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    responses((
        status = 200,
        description = "HTML when `Accept` names text/html, else JSON",
        content((Service = "application/json"), (String = "text/html"))
    ))
)]
pub(crate) async fn index(headers: HeaderMap) -> Response {
    let mut response = if names_html(&headers) {
        page::start().into_response()
    } else {
        let service = Service {
            status: "healthy",
            service: "haulout",
        };
        Json(service).into_response()
    };
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("accept"));
    response
}

/// `Accept` names text/html, and not to say that it is unwanted (RFC 9110, section 12.4.2: a weight of 0).
fn names_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let html = parts
                .next()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
            html && !parts.any(refuses)
        })
}

fn refuses(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, weight)| {
        name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0)
    })
}
