//! Requests as Lambda gets them from API Gateway (HTTP API, payload format 2.0), and answers as API Gateway gets them
//! back: everything goes through the event's JSON.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use axum::Router;
use base64::{Engine, prelude::BASE64_STANDARD};
use haulout_api::gateway::{Event, answer};
use serde_json::{Map, Value, json};

/// The id API Gateway gave every request here.
pub const REQUEST_ID: &str = "JKJaXmPLvHcESHA=";

/// A request under construction.
#[derive(Debug, Clone)]
pub struct GatewayEvent {
    method: String,
    path: String,
    query: String,
    headers: Map<String, Value>,
    body: Option<String>,
    base64: bool,
    address: String,
    api_id: String,
    signer: Option<String>,
}

/// The id of the first API.
pub const API_ID: &str = "a1b2c3d4e5";
/// The id of the second one, whose requests are signed.
pub const SERVICE_API_ID: &str = "s2e3r4v5i6";
/// The account that both are in.
pub const ACCOUNT: &str = "123456789012";

impl GatewayEvent {
    /// A request; `target` is a path as API Gateway hands it over (decoded), maybe with `?` and a raw query.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Map::new(),
            body: None,
            base64: false,
            address: "192.0.2.1".to_owned(),
            api_id: API_ID.to_owned(),
            signer: None,
        }
        .header("host", "haulout.example")
        .header("x-forwarded-proto", "https")
    }

    /// GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// POST with a body, said to be JSON.
    pub fn post(target: &str, body: impl Into<String>) -> Self {
        Self::new("POST", target)
            .header("content-type", "application/json")
            .text(body)
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// With a header; names are in lower case, as API Gateway makes them.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// From another address.
    #[must_use]
    pub fn from_address(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// Through another API.
    #[must_use]
    pub fn through(mut self, api_id: &str) -> Self {
        api_id.clone_into(&mut self.api_id);
        self
    }

    /// Signed by an AWS identity, as API Gateway says where a route has IAM authorization.
    #[must_use]
    pub fn signed_by(mut self, arn: &str) -> Self {
        self.signer = Some(arn.to_owned());
        self
    }

    /// With a bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a body that API Gateway hands over as text.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self.base64 = false;
        self
    }

    /// With a body that API Gateway hands over in base64: whenever its Content-Type is missing or not textual.
    #[must_use]
    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = Some(BASE64_STANDARD.encode(body));
        self.base64 = true;
        self
    }

    /// The event.
    pub fn event(&self) -> Value {
        let time = "20/Nov/2026:19:00:00 +0000";
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": self.api_id,
                "domainName": "haulout.example",
                "domainPrefix": "haulout",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.address,
                    "userAgent": "curl/8.5.0"
                },
                "requestId": REQUEST_ID,
                "routeKey": "$default",
                "stage": "$default",
                "time": time,
                "timeEpoch": 1_795_201_200_000_u64
            },
            "body": self.body,
            "isBase64Encoded": self.base64
        });
        if let Some(arn) = &self.signer {
            // The names are those of `APIGatewayV2HTTPRequestContextAuthorizerIAMDescription` (aws-lambda-go, events).
            event["requestContext"]["authorizer"] = json!({"iam": {
                "accessKey": "ASIAIOSFODNN7EXAMPLE",
                "accountId": ACCOUNT,
                "callerId": "AROAIOSFODNN7EXAMPLE:session",
                "cognitoIdentity": null,
                "principalOrgId": "o-a1b2c3d4e5",
                "userArn": arn,
                "userId": "AROAIOSFODNN7EXAMPLE:session"
            }});
        }
        event
    }

    /// Sends it to a function.
    pub async fn send(&self, app: &Router) -> Answer {
        let event: Event = serde_json::from_str(&self.event().to_string())
            .expect("the function reads API Gateway's events");
        let reply = answer(app.clone(), event).await;
        Answer::read(&serde_json::to_value(reply).expect("an answer is JSON"))
    }
}

/// What a client sees.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    fn read(reply: &Value) -> Self {
        let body = reply["body"].as_str().expect("a body");
        let body = if reply["isBase64Encoded"] == true {
            BASE64_STANDARD.decode(body).expect("base64")
        } else {
            body.as_bytes().to_vec()
        };
        let status = reply["statusCode"]
            .as_u64()
            .and_then(|status| status.try_into().ok());
        Self {
            status: status.expect("a status"),
            headers: serde_json::from_value(reply["headers"].clone()).expect("headers"),
            body,
        }
    }

    /// A header, empty when missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The problem's code, after checking that it is a whole problem of this status.
    pub fn problem(&self, status: u16) -> String {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{body}"
        );
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["request_id"], REQUEST_ID);
        assert_eq!(self.header("x-request-id"), REQUEST_ID);
        for member in ["title", "detail", "code"] {
            assert!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {body}"
            );
        }
        assert_eq!(body.as_object().map(Map::len), Some(6), "{body}");
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The problem's detail.
    pub fn detail(&self) -> String {
        self.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
