//! The emulator's AWS calls that a deploy needs, over plain HTTP: its protocols are AWS's, its signatures unchecked.

mod cloudformation;

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

pub(super) use self::cloudformation::StackState;
use super::emulator::{ACCOUNT, REGION};
use super::error::StackError;
use super::http::Http;

/// A deploy's calls answer at once; an upload takes as long as the disk does.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client of the emulator.
#[derive(Clone, Debug)]
pub(super) struct Aws {
    http: Http,
    endpoint: String,
}

impl Aws {
    pub(super) fn new(http: Http, endpoint: &str) -> Self {
        Self {
            http,
            endpoint: endpoint.into(),
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
            .header("x-amz-target", "secretsmanager.GetSecretValue");
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
        payload: &'static str,
    ) -> Result<(), StackError> {
        let request = self
            .request(
                "lambda",
                Method::POST,
                &format!("/2015-03-31/functions/{function}/invocations"),
            )
            .header("x-amz-invocation-type", "Event");
        accepted(
            "Invoke",
            &self.send("Invoke", request, payload.into()).await?,
        )
    }

    fn request(&self, service: &str, method: Method, path: &str) -> hyper::http::request::Builder {
        // The emulator reads account, region and service from here, and no further.
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, \
             Signature=0"
        );
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header(AUTHORIZATION, credential)
    }

    async fn send(
        &self,
        call: &str,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Bytes>, StackError> {
        let request = request
            .body(Full::new(body))
            .map_err(|error| StackError::Answer {
                call: call.into(),
                why: error.to_string(),
            })?;
        let sent = self.http.send(request, PATIENCE).await;
        sent.map_err(|source| StackError::Unreachable {
            call: call.into(),
            source,
        })
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
