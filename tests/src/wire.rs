//! The HTTP client of all SDK clients in the test world: it brings each request to the service it is for, all in this
//! process, and lets go wrong what is to go wrong.

use std::{fmt, io, sync::Arc};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use haulout_local::sim;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;

use crate::{
    call::{Action, Service, answer},
    dynamo::Dynamo,
    faults::{Faults, Trouble},
    gate::Gate,
    invocation::Invocation,
    s3::S3,
    sns::Sns,
    stepfunctions::StepFunctions,
};

/// The services and what goes wrong on the way to them.
pub struct Wire {
    /// DynamoDB.
    pub dynamo: Dynamo,
    /// Step Functions.
    pub stepfunctions: StepFunctions,
    /// SNS.
    pub sns: Sns,
    /// S3.
    pub s3: S3,
    /// EC2, Auto Scaling, Systems Manager and CloudWatch.
    pub sim: sim::Door,
    /// What goes wrong.
    pub faults: Faults,
    /// Who goes first.
    pub gate: Gate,
    /// The world's time.
    pub clock: sim::Clock,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// The client.
#[derive(Debug)]
pub struct WireClient {
    wire: Arc<Wire>,
}

impl WireClient {
    /// A client over this wire.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire: Arc::new(wire),
        }
    }
}

impl HttpClient for WireClient {
    fn http_connector(
        &self,
        // No timeouts: where waits take no time, each would strike at once.
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(WireConnector {
            wire: Arc::clone(&self.wire),
        })
    }
}

#[derive(Debug, Clone)]
struct WireConnector {
    wire: Arc<Wire>,
}

impl HttpConnector for WireConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.pass(request).await })
    }
}

impl WireConnector {
    async fn pass(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let action = Action::of(&request).ok_or_else(|| {
            ConnectorError::user("a request to no service of the test world".into())
        })?;
        let Some(invocation) = Invocation::current() else {
            return self.perform(&action, request).await;
        };
        self.wire.gate.pass(invocation.number).await;
        invocation.survive().await;
        let now = self.wire.clock.now();
        let trouble =
            self.wire
                .faults
                .on_call(&invocation.function, invocation.number, &action, now);
        if let Some(Trouble::Refused(refusal)) = trouble {
            return Ok(action.service.refuse(refusal, &action.name));
        }
        let answer = self.perform(&action, request).await;
        invocation.performed();
        invocation.survive().await;
        if trouble == Some(Trouble::Lost) {
            let broken = io::Error::new(
                io::ErrorKind::ConnectionReset,
                "injected: the answer was lost",
            );
            return Err(ConnectorError::io(broken.into()));
        }
        answer
    }

    async fn perform(
        &self,
        action: &Action,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        const JSON: &str = "application/x-amz-json-1.0";
        let wire = &self.wire;
        let body = request.body().bytes().unwrap_or_default();
        match action.service {
            Service::DynamoDb => {
                let (status, body) = wire.dynamo.call(&action.name, body);
                Ok(answer(status, JSON, body))
            }
            Service::StepFunctions => {
                let (status, body) = wire
                    .stepfunctions
                    .call(&action.name, body, wire.clock.now());
                Ok(answer(status, JSON, body))
            }
            Service::Sns => {
                let (status, body) = wire.sns.call(&action.name, body);
                Ok(answer(status, "text/xml", body))
            }
            Service::S3 => Ok(wire.s3.call(&request)),
            Service::Ec2 | Service::AutoScaling | Service::Ssm | Service::CloudWatch => {
                let request = request
                    .try_into_http1x()
                    .map_err(|error| ConnectorError::user(error.into()))?;
                let (head, body) = request.into_parts();
                let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
                let Some(answer) = wire.sim.call(&head, &body).await else {
                    let closed = io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        "the simulator closed the connection",
                    );
                    return Err(ConnectorError::io(closed.into()));
                };
                let (head, body) = answer.into_parts();
                // In memory, there is nothing that could fail.
                let body = body.collect().await.unwrap_or_default().to_bytes();
                HttpResponse::try_from(http::Response::from_parts(head, SdkBody::from(body)))
                    .map_err(|error| ConnectorError::other(error.into(), None))
            }
        }
    }
}
