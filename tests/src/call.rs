//! One AWS request: which service and action it is for, and the errors of that service in its own form.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use crate::s3::S3;

/// An AWS service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// EC2.
    Ec2,
    /// Systems Manager.
    Ssm,
    /// Step Functions.
    StepFunctions,
    /// Simple Notification Service.
    Sns,
    /// CloudWatch.
    CloudWatch,
    /// Auto Scaling.
    AutoScaling,
    /// S3.
    S3,
}

/// An action of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action {
    /// The service.
    pub service: Service,
    /// The action, such as `RunInstances`.
    pub name: String,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{}", self.service, self.name)
    }
}

impl Action {
    /// The action a request is for: from the header `X-Amz-Target`, the form field `Action`, or method and path (S3).
    pub fn of(request: &HttpRequest) -> Option<Self> {
        if let Some(name) = S3::action_of(request) {
            return Some(Self {
                service: Service::S3,
                name: name.to_owned(),
            });
        }
        if let Some(target) = request.headers().get("x-amz-target") {
            let (prefix, name) = target.split_once('.')?;
            let service = match prefix {
                "DynamoDB_20120810" => Service::DynamoDb,
                "AmazonSSM" => Service::Ssm,
                "AWSStepFunctions" => Service::StepFunctions,
                _ => return None,
            };
            return Some(Self {
                service,
                name: name.to_owned(),
            });
        }
        if let Some((_, name)) = request.uri().split_once("/operation/") {
            return Some(Self {
                service: Service::CloudWatch,
                name: name.to_owned(),
            });
        }
        let form = std::str::from_utf8(request.body().bytes()?).ok()?;
        let name = form
            .split('&')
            .find_map(|field| field.strip_prefix("Action="))?;
        // The versions of their APIs tell the services apart that speak in forms.
        let service = if form.contains("Version=2010-03-31") {
            Service::Sns
        } else if form.contains("Version=2011-01-01") {
            Service::AutoScaling
        } else {
            Service::Ec2
        };
        Some(Self {
            service,
            name: name.to_owned(),
        })
    }
}

/// An error that AWS itself answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many requests.
    Throttled,
    /// AWS's own trouble.
    ServerError,
    /// The role lacks a permission.
    AccessDenied,
    /// This error code, with status 400.
    Code(&'static str),
}

impl Service {
    /// HTTP status and error code, as this service answers. Sources: each API reference's "Common errors".
    fn code(self, refusal: Refusal) -> (u16, &'static str) {
        match (self, refusal) {
            (_, Refusal::Code(code)) => (400, code),
            (Self::Ec2, Refusal::Throttled) => (503, "RequestLimitExceeded"),
            (Self::Ec2 | Self::S3, Refusal::ServerError) => (500, "InternalError"),
            (Self::Ec2, Refusal::AccessDenied) => (403, "UnauthorizedOperation"),
            (Self::S3, Refusal::Throttled) => (503, "SlowDown"),
            (Self::AutoScaling, Refusal::Throttled) => (400, "Throttling"),
            (Self::AutoScaling | Self::S3, Refusal::AccessDenied) => (403, "AccessDenied"),
            (_, Refusal::Throttled) => (400, "ThrottlingException"),
            (Self::StepFunctions | Self::AutoScaling, Refusal::ServerError) => {
                (500, "InternalFailure")
            }
            (_, Refusal::ServerError) => (500, "InternalServerError"),
            (_, Refusal::AccessDenied) => (400, "AccessDeniedException"),
        }
    }

    /// The whole answer.
    pub fn refuse(self, refusal: Refusal, action: &str) -> HttpResponse {
        let (status, code) = self.code(refusal);
        let message = format!("injected: {action} was refused");
        let namespace = match self {
            Self::Sns => Some("http://sns.amazonaws.com/doc/2010-03-31/"),
            Self::AutoScaling => Some("http://autoscaling.amazonaws.com/doc/2011-01-01/"),
            _ => None,
        };
        if let Some(namespace) = namespace {
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>7a62c49f-0000-4000-8000-0123456789ab</RequestId></ErrorResponse>"
            );
            return answer(status, "text/xml", body);
        }
        if self == Self::S3 {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                 <RequestId>7A62C49F</RequestId></Error>"
            );
            return answer(status, "application/xml", body);
        }
        if self == Self::Ec2 {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
                 <Message>{message}</Message></Error></Errors><RequestID>7a62c49f-0000-4000-8000-0123456789ab</RequestID></Response>"
            );
            return answer(status, "text/xml;charset=UTF-8", body);
        }
        let kind = format!("com.amazonaws.test#{code}");
        answer(
            status,
            "application/x-amz-json-1.0",
            json!({"__type": kind, "message": message}).to_string(),
        )
    }
}

/// An HTTP answer.
#[expect(
    clippy::expect_used,
    reason = "statuses and headers are constants of this crate"
)]
pub fn answer(status: u16, content_type: &'static str, body: String) -> HttpResponse {
    let status = status.try_into().expect("a valid HTTP status");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", content_type);
    response
        .headers_mut()
        .insert("x-amzn-requestid", "7a62c49f-0000-4000-8000-0123456789ab");
    response
}
