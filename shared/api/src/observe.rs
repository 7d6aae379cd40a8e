//! One request seen from outside: its id, its span, the line about its end, and the headers every answer carries.

use std::{any::Any, time::Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use haulout_aws::telemetry::error_chain;
use http::{
    HeaderName, HeaderValue, Method,
    header::{CACHE_CONTROL, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS},
};
use tracing::{Instrument, Span, field::Empty, info, info_span};
use uuid::Uuid;

use crate::problem::Problem;

/// The header that names a request.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in answers and logs: API Gateway's id of it, or one made here.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Runs a request inside its span. Handlers may fill in the span's `machine_id` and `execution`.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let RequestId(id) = request
        .extensions_mut()
        .get_or_insert_with(|| RequestId(Uuid::now_v7().to_string()))
        .clone();
    let method = request.method().as_str();
    let span = info_span!(
        "request",
        request_id = id,
        method,
        path = Empty,
        caller = Empty,
        machine_id = Empty,
        execution = Empty
    );
    answer(id, request, next).instrument(span).await
}

/// A request that cannot be put before the service, with what is wrong with it.
#[derive(Clone)]
pub(crate) struct Refused(pub(crate) Problem);

async fn answer(id: String, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let head = request.method() == Method::HEAD;
    let mut response = match request.extensions_mut().remove::<Refused>() {
        Some(Refused(problem)) => problem.into_response(),
        None => next.run(request).await,
    };
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        *response.body_mut() = problem.respond(Some(&id)).into_body();
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    if head {
        *response.body_mut() = Body::empty();
    }
    log(&response, problem.as_ref(), start);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The line about a request's end; the only place where a problem's cause is written.
fn log(response: &Response, problem: Option<&Problem>, start: Instant) {
    let status = response.status().as_u16();
    let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let code = problem.map(|problem| problem.code().as_str());
    let error = problem.and_then(Problem::cause).map(error_chain);
    match status {
        500 => tracing::error!(status, ms, code, error, "answered"),
        501.. => tracing::warn!(status, ms, code, error, "answered"),
        _ => info!(status, ms, code, error, "answered"),
    }
}

/// Notes the route in the request's span, as its template: what a caller put into a path or a query may be a secret.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        Span::current().record("path", path.as_str());
    }
    next.run(request).await
}

/// The answer when a handler panicked. The panic itself was logged by the panic hook.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::internal("the handler panicked").into_response()
}

/// Notes who calls in the request's span.
pub(crate) fn record_caller(name: &str) {
    Span::current().record("caller", name);
}
