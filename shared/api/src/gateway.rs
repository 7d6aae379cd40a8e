//! From API Gateway's events (HTTP API, payload format 2.0) to the service and back.
//!
//! lambda_http turns the event into a request. What callers control is encoded or refused before it gets that far,
//! because the conversion panics on it, and such a panic is API Gateway's own 500: HTTP APIs hand over the path
//! *decoded*, so `%3F` or `%20` in it is no URI any more, and a host that is none ends the same way. Answers are
//! written here, because lambda_http keeps one value of a header that has several.

use std::{collections::BTreeMap, convert::Infallible, fmt::Write};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_LENGTH, HOST},
    uri::InvalidUri,
};
use http_body_util::BodyExt;
use lambda_http::{
    Error, LambdaEvent, aws_lambda_events::apigw::ApiGatewayV2httpRequest, lambda_runtime,
    request::LambdaRequest, service_fn,
};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

use crate::{
    address::SourceAddress,
    observe::{Refused, RequestId},
    problem::{Code, Problem},
    service::Entrance,
};

/// Serves an app in Lambda until the sandbox ends.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub async fn run(app: Router) -> Result<(), Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(answer(app, event.payload).await) }
    }))
    .await
}

/// A request as API Gateway describes it: the parts used here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    api_id: Option<String>,
    #[serde(default)]
    authorizer: Option<Authorizer>,
    http: Http,
}

/// Only where the route has one (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs").
#[derive(Debug, Deserialize)]
struct Authorizer {
    #[serde(default)]
    iam: Option<Iam>,
}

/// Of a route with IAM authorization.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iam {
    #[serde(default)]
    user_arn: Option<String>,
}

impl RequestContext {
    fn entrance(&self) -> Entrance {
        let iam = self.authorizer.as_ref().and_then(|it| it.iam.as_ref());
        Entrance {
            api_id: self.api_id.clone(),
            user_arn: iam.and_then(|it| it.user_arn.clone()),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(default)]
    source_ip: Option<String>,
}

/// An answer as API Gateway wants it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

/// Answers one event.
pub async fn answer(app: Router, event: Event) -> Reply {
    let id = event.request_context.request_id.clone();
    let address = event.request_context.http.source_ip.clone();
    let entrance = event.request_context.entrance();
    let mut request = request(event).unwrap_or_else(|problem| {
        let mut request = Request::default();
        request.extensions_mut().insert(Refused(problem));
        request
    });
    if let Some(id) = id {
        request.extensions_mut().insert(RequestId(id));
    }
    if let Some(address) = address {
        request.extensions_mut().insert(SourceAddress(address));
    }
    request.extensions_mut().insert(entrance);
    let response = match app.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    reply(response).await
}

/// The request an event describes.
fn request(event: Event) -> Result<Request, Problem> {
    let mut target = encode(&event.raw_path, is_path_byte);
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    if !event.raw_query_string.is_empty() {
        target.push('?');
        target.push_str(&encode(&event.raw_query_string, is_query_byte));
    }
    let target: Uri = target
        .parse()
        .map_err(|error: InvalidUri| invalid("The path is not one HTTP allows.").because(error))?;
    let method = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|error| invalid("The method is not one HTTP allows.").because(error))?;
    let body = body(event.body, event.is_base64_encoded)?;
    let mut headers = headers(event.headers)?;
    // lambda_http makes the URI of these two, and normalizes it; ours is put in its place as it came.
    let host = headers.remove(HOST);
    let mut clean = ApiGatewayV2httpRequest::default();
    clean.raw_path = Some("/".to_owned());
    clean.headers = headers;
    clean.request_context.http.method = method;
    clean
        .request_context
        .request_id
        .clone_from(&event.request_context.request_id);
    let request = lambda_http::Request::from(LambdaRequest::ApiGatewayV2(clean));
    let mut request = request.map(|_| Body::from(body));
    *request.uri_mut() = target;
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(id) = event.request_context.request_id {
        request.extensions_mut().insert(RequestId(id));
    }
    Ok(request)
}

/// A header dropped could be one that matters, so one that cannot be held is refused.
fn headers(headers: BTreeMap<String, String>) -> Result<HeaderMap, Problem> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) else {
            let detail = format!("Header '{name}' has characters HTTP does not allow.");
            return Err(Problem::new(Code::InvalidHeader, detail));
        };
        map.append(name, value);
    }
    Ok(map)
}

fn body(body: Option<String>, base64: bool) -> Result<Vec<u8>, Problem> {
    match body {
        None => Ok(Vec::new()),
        Some(text) if base64 => BASE64_STANDARD
            .decode(text)
            .map_err(|error| invalid("The body could not be decoded.").because(error)),
        Some(text) => Ok(text.into_bytes()),
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Code::InvalidRequest, detail)
}

/// Percent-encodes every byte that may not stand for itself, and a `%` that starts no encoding. What is encoded
/// already stays as it is.
fn encode(text: &str, allowed: fn(u8) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut encoded = String::with_capacity(text.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let encoding = byte == b'%'
            && matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit));
        if encoding || allowed(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// RFC 3986: `pchar` and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

/// RFC 3986: `pchar`, the slash and the question mark.
fn is_query_byte(byte: u8) -> bool {
    is_path_byte(byte) || byte == b'?'
}

async fn reply(response: Response) -> Reply {
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Box::pin(reply(Problem::internal(error).into_response())).await,
    };
    let (body, is_base64_encoded) = text(&body);
    Reply {
        status_code: parts.status.as_u16(),
        headers: joined(&parts.headers),
        body,
        is_base64_encoded,
    }
}

fn text(body: &Bytes) -> (String, bool) {
    match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(body), true),
    }
}

/// The format has one value for each header: several are joined, as HTTP allows (RFC 9110, section 5.3).
/// API Gateway sets the length itself.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        if name == CONTENT_LENGTH {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined
}
