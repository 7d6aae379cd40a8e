//! A small HTTP client for a deployed API: JSON in and out, the token sent along.

#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// An API and a token for it.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer; the body is null when it is no JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as JSON.
    pub json: Value,
    /// Its body as it came.
    pub text: String,
}

/// Longer than any answer takes, `Prefer: wait=25` included.
const PATIENCE: Duration = Duration::from_mins(1);

impl Api {
    /// The API at this address.
    pub fn new(base: impl Into<String>, token: Option<String>) -> Self {
        Self {
            base: base.into(),
            token,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request with these headers and body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            (head, body.to_bytes())
        };
        let (head, body) = timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| panic!("{path}: no answer"));
        Answer {
            status: head.status,
            headers: head.headers,
            json: serde_json::from_slice(&body).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], body.to_string()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// Reads a machine until `enough` says so; panics with the last answer after `patience`.
    pub async fn until(
        &self,
        id: &str,
        patience: Duration,
        enough: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = Instant::now() + patience;
        loop {
            let answer = self.get(&format!("/instances/{id}")).await;
            if answer.status == StatusCode::OK && enough(&answer.json) {
                return answer.json;
            }
            assert!(
                Instant::now() < end,
                "not within {patience:?}; the last answer: {} {}",
                answer.status,
                answer.text
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
}
