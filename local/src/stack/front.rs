//! The front door: the one address callers use. It passes requests on to the deployed API as API Gateway would take
//! them, and refuses what a web page of another origin sends: the emulator behind it answers everybody.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::error::StackError;
use super::http::Http;

/// What API Gateway takes at most (HTTP APIs: 10 MB).
const MAX_BODY: usize = 10 * 1024 * 1024;
/// API Gateway gives an integration 30 s; a little longer, so that its answer is the one that counts.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long requests under way may take at the end.
const CLOSING: Duration = Duration::from_secs(2);
/// Headers of one connection, which a proxy does not pass on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const KEEP_ALIVE: &str = "keep-alive";

/// A front door that serves.
#[derive(Debug)]
pub(super) struct FrontDoor {
    close: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

#[derive(Clone, Debug)]
struct Door {
    http: Http,
    /// What paths are appended to.
    upstream: String,
    /// What a caller on this computer calls us, with the port.
    hosts: [String; 3],
}

/// Takes the port, before anything else is started; with the URL it has then.
pub(super) async fn bind(port: u16) -> Result<(TcpListener, String), StackError> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| StackError::Port { port, source })?;
    let address = listener.local_addr().map_err(StackError::FrontDoor)?;
    Ok((listener, format!("http://{address}")))
}

impl FrontDoor {
    /// Serves the API with this id of the emulator at `endpoint`.
    pub(super) fn open(
        listener: TcpListener,
        http: Http,
        endpoint: &str,
        api_id: &str,
    ) -> Result<Self, StackError> {
        let port = listener.local_addr().map_err(StackError::FrontDoor)?.port();
        let door = Door {
            http,
            upstream: format!("{endpoint}/_aws/execute-api/{api_id}/$default"),
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")),
        };
        let router = Router::new().fallback(pass).with_state(door);
        let (close, closed) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let closed = async {
                // An error means that the other end is gone, which closes as well.
                let _ = closed.await;
            };
            axum::serve(listener, router)
                .with_graceful_shutdown(closed)
                .await
        });
        Ok(Self { close, server })
    }

    /// Takes no more requests and gives those under way a moment.
    pub(super) async fn close(self) {
        let Self { close, mut server } = self;
        let _ = close.send(());
        if tokio::time::timeout(CLOSING, &mut server).await.is_err() {
            server.abort();
        }
    }
}

async fn pass(State(door): State<Door>, request: axum::extract::Request) -> Response<Full<Bytes>> {
    door.pass(request)
        .await
        .unwrap_or_else(Refusal::into_response)
}

impl Door {
    async fn pass(
        &self,
        request: axum::extract::Request,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        self.admit(
            request.headers(),
            request
                .uri()
                .authority()
                .map(hyper::http::uri::Authority::as_str),
        )?;
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Refusal::TooLarge
                } else {
                    Refusal::Broken
                }
            })?;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut forwarded = Request::builder()
            .method(head.method)
            .uri(format!("{}{path}", self.upstream))
            .body(Full::new(body.to_bytes()))
            .map_err(|_| Refusal::Broken)?;
        *forwarded.headers_mut() = end_to_end(head.headers);
        let answer = self.http.send(forwarded, PATIENCE).await.map_err(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the deployed API does not answer"
            );
            Refusal::Unavailable
        })?;
        let (head, body) = answer.into_parts();
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = end_to_end(head.headers);
        Ok(response)
    }

    /// A name that is not ours is a name that somebody made to point at this computer (DNS rebinding); an origin that
    /// is not ours is another web page.
    fn admit(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refusal> {
        let is_ours = |name: &str| {
            self.hosts
                .iter()
                .any(|host| host.eq_ignore_ascii_case(name))
        };
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::Host);
        };
        if !host.to_str().is_ok_and(is_ours) || !authority.is_none_or(is_ours) {
            return Err(Refusal::Host);
        }
        for origin in headers.get_all(ORIGIN) {
            let name = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.strip_prefix("http://"));
            if !name.is_some_and(is_ours) {
                return Err(Refusal::Origin);
            }
        }
        Ok(())
    }
}

/// The headers that belong to the message, not to the connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    headers.remove(KEEP_ALIVE);
    headers
}

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Host,
    Origin,
    TooLarge,
    Broken,
    Unavailable,
}

impl Refusal {
    fn into_response(self) -> Response<Full<Bytes>> {
        let (status, code, detail) = match self {
            Self::Host => (
                StatusCode::FORBIDDEN,
                "foreign_host",
                "The local stack answers to 127.0.0.1 and localhost only; send the request to the printed address.",
            ),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "foreign_origin",
                "The local stack does not answer web pages of other origins; open its own pages, or use another client.",
            ),
            // In API Gateway's own words, which are not a problem document there either.
            Self::TooLarge => {
                let body = json!({ "message": "Request Entity Too Large" });
                return response(StatusCode::PAYLOAD_TOO_LARGE, "application/json", &body);
            }
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "broken_request",
                "The request broke off or is not valid HTTP; send it again.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The local stack is starting, stopping or broken; look at what it printed, then try again.",
            ),
        };
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "code": code,
            "request_id": Uuid::now_v7(),
        });
        let mut response = response(status, "application/problem+json", &problem);
        if self == Self::Unavailable {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: &serde_json::Value,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(content_type),
    );
    response
}

#[cfg(test)]
mod tests;
