//! The emulator's AWS calls that a deploy needs, over plain HTTP, made as the account's root.

mod cloudformation;
mod signature;

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

pub(super) use self::cloudformation::StackState;
use self::signature::Signer;
use super::emulator::{ACCOUNT, REGION, SECRET_KEY};
use super::error::StackError;
use super::http::Http;
use crate::sim::Clock;

/// A deploy's calls answer at once; an upload takes as long as the disk does.
const PATIENCE: Duration = Duration::from_mins(1);

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");

/// A client of the emulator.
#[derive(Clone, Debug)]
pub(super) struct Aws {
    http: Http,
    host: String,
    clock: Clock,
}

impl Aws {
    /// A client of the emulator at `endpoint`; `clock` tells it the world's time.
    pub(super) fn new(http: Http, endpoint: &str, clock: &Clock) -> Self {
        let host = endpoint.trim_start_matches("http://").to_owned();
        Self {
            http,
            host,
            clock: clock.clone(),
        }
    }

    /// Makes a bucket, unless it is there.
    pub(super) async fn create_bucket(&self, bucket: &str) -> Result<(), StackError> {
        let answer = self.s3(Method::PUT, bucket, Bytes::new()).await?;
        match answer.status() {
            StatusCode::CONFLICT => Ok(()),
            _ => accepted("CreateBucket", &answer),
        }
    }

    /// Whether an object is there.
    pub(super) async fn object_exists(&self, bucket: &str, key: &str) -> Result<bool, StackError> {
        let answer = self
            .s3(Method::HEAD, &format!("{bucket}/{key}"), Bytes::new())
            .await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => accepted("HeadObject", &answer).map(|()| true),
        }
    }

    /// Uploads an object.
    pub(super) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<(), StackError> {
        accepted(
            "PutObject",
            &self
                .s3(Method::PUT, &format!("{bucket}/{key}"), body)
                .await?,
        )
    }

    /// Where an object is, for CloudFormation.
    pub(super) fn object_url(&self, bucket: &str, key: &str) -> String {
        format!("http://{}/{bucket}/{key}", self.host)
    }

    /// Removes an object.
    pub(super) async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), StackError> {
        accepted(
            "DeleteObject",
            &self
                .s3(Method::DELETE, &format!("{bucket}/{key}"), Bytes::new())
                .await?,
        )
    }

    async fn s3(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, StackError> {
        let request = self.request("s3", method, &format!("/{path}"));
        self.send("S3", request, body).await
    }

    /// A secret's string.
    pub(super) async fn secret(&self, id: &str) -> Result<String, StackError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Secret {
            secret_string: String,
        }
        const CALL: &str = "GetSecretValue";
        let request = self
            .request("secretsmanager", Method::POST, "/")
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header(TARGET, "secretsmanager.GetSecretValue");
        let body = serde_json::json!({ "SecretId": id }).to_string();
        let answer = self.send(CALL, request, body.into()).await?;
        accepted(CALL, &answer)?;
        let secret: Secret =
            serde_json::from_slice(answer.body()).map_err(|error| StackError::Answer {
                call: CALL.into(),
                why: error.to_string(),
            })?;
        Ok(secret.secret_string)
    }

    /// Invokes a function without waiting for its answer.
    pub(super) async fn invoke(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
    ) -> Result<(), StackError> {
        let request = self
            .request(
                "lambda",
                Method::POST,
                &format!("/2015-03-31/functions/{function}/invocations"),
            )
            .header(INVOCATION_TYPE, "Event");
        accepted(
            "Invoke",
            &self.send("Invoke", request, payload.into()).await?,
        )
    }

    /// Whether a function is deployed.
    pub(super) async fn function_exists(&self, function: &str) -> Result<bool, StackError> {
        const CALL: &str = "GetFunction";
        let path = format!("/2015-03-31/functions/{function}");
        let request = self.request("lambda", Method::GET, &path);
        let answer = self.send(CALL, request, Bytes::new()).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => accepted(CALL, &answer).map(|()| true),
        }
    }

    fn request(&self, service: &'static str, method: Method, path: &str) -> Call {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.host));
        Call { service, request }
    }

    async fn send(
        &self,
        name: &str,
        call: Call,
        body: Bytes,
    ) -> Result<Response<Bytes>, StackError> {
        let not_sent = |error: &dyn std::fmt::Display| StackError::Answer {
            call: name.into(),
            why: error.to_string(),
        };
        let mut request = call
            .request
            .body(Full::new(body.clone()))
            .map_err(|error| not_sent(&error))?;
        let signer = Signer {
            access_key: ACCOUNT,
            secret_key: SECRET_KEY,
            region: REGION,
            service: call.service,
        };
        signer
            .sign(&mut request, &body, &self.host, self.clock.wall())
            .map_err(|error| not_sent(&error))?;
        let sent = self.http.send(request, PATIENCE).await;
        sent.map_err(|source| StackError::Unreachable {
            call: name.into(),
            source,
        })
    }
}

/// A call before it is signed.
struct Call {
    service: &'static str,
    request: hyper::http::request::Builder,
}

impl Call {
    fn header(self, name: impl Into<HeaderName>, value: &'static str) -> Self {
        let request = self
            .request
            .header(name.into(), HeaderValue::from_static(value));
        Self { request, ..self }
    }
}

fn accepted(call: &str, answer: &Response<Bytes>) -> Result<(), StackError> {
    if answer.status().is_success() {
        return Ok(());
    }
    Err(StackError::Refused {
        call: call.into(),
        status: answer.status().as_u16(),
        body: String::from_utf8_lossy(answer.body()).into_owned(),
    })
}
