//! The HTTP client of all SDK clients in the test world: it brings each request to the service it is for (in this
//! process, or to the simulator over loopback) and lets go wrong what is to go wrong.

use std::{fmt, io, sync::Arc};

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use haulout_local::sim;

use crate::{
    call::{Action, Service, answer},
    dynamo::Dynamo,
    faults::{Faults, Trouble},
    gate::Gate,
    invocation::Invocation,
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
    /// EC2, Systems Manager and CloudWatch.
    pub sim_url: String,
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
    loopback: SharedHttpClient,
}

impl WireClient {
    /// A client over this wire.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire: Arc::new(wire),
            loopback: Builder::new().build_http(),
        }
    }
}

impl HttpClient for WireClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        // No timeouts: where waits take no time, each would strike at once.
        let settings = &HttpConnectorSettings::builder().build();
        SharedHttpConnector::new(WireConnector {
            wire: Arc::clone(&self.wire),
            loopback: self.loopback.http_connector(settings, components),
        })
    }
}

#[derive(Debug, Clone)]
struct WireConnector {
    wire: Arc<Wire>,
    loopback: SharedHttpConnector,
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
        mut request: HttpRequest,
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
            Service::Ec2 | Service::Ssm | Service::CloudWatch => {
                let path = match action.service {
                    Service::CloudWatch => request
                        .uri()
                        .split_once("aws.test")
                        .map_or("/", |(_, path)| path),
                    _ => "/",
                };
                let url = format!("{}{path}", wire.sim_url);
                request
                    .set_uri(url)
                    .map_err(|error| ConnectorError::user(error.into()))?;
                self.loopback.call(request).await
            }
        }
    }
}
