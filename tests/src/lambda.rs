//! The Lambda service of a test world: it runs the functions, one invocation at a time or several at once, and lets
//! happen to them what is to happen.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use haulout_provision::StepEvent;
use haulout_refresh::RefreshEvent;
use http::{Method, Request, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    faults::{Death, Fate},
    invocation::Invocation,
    walker::{TaskError, Tasks},
    world::{FUNCTION_ARN, World},
};

/// How often an event is delivered that a function does not take.
const DELIVERIES: u32 = 3;

/// Of the function `provision`, in template.yaml.
const FUNCTION_TIMEOUT: Duration = Duration::from_mins(1);

/// An invocation that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It was killed.
    Killed(Death),
    /// It was not run, with this error.
    Refused(&'static str),
}

impl World {
    /// Invokes a function whose work `work` begins; twice, if that is to happen. A test's own calls meet faults only
    /// inside of one.
    pub async fn invoke<T, F: Future<Output = T>>(
        &self,
        function: &str,
        work: impl Fn() -> F,
    ) -> Result<T, NoAnswer> {
        let (number, fate) = self.faults.on_invocation(function, self.clock.now());
        if let Some(Fate::Refused(error)) = fate {
            return Err(NoAnswer::Refused(error));
        }
        if fate == Some(Fate::Repeated) {
            // The first answer is not seen: the caller gave up on it, or the service delivered the event twice.
            let first = Invocation::new(number, function, None);
            let _unseen = self.go_through(&first, fate, work()).await;
        }
        let invocation = Invocation::new(number, function, fate);
        let answer = self.go_through(&invocation, fate, work()).await;
        answer.ok_or_else(|| match fate {
            Some(Fate::Killed { death, .. }) => {
                if death == Death::TimedOut {
                    self.clock.advance(FUNCTION_TIMEOUT);
                }
                NoAnswer::Killed(death)
            }
            _ => NoAnswer::Killed(Death::Exit),
        })
    }

    /// Runs an invocation to its end. Where it stalls, the world goes on without it.
    async fn go_through<T>(
        &self,
        invocation: &Arc<Invocation>,
        fate: Option<Fate>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut entered = Some(self.gate.enter(invocation.number));
        let mut running = Box::pin(Arc::clone(invocation).run(work));
        loop {
            tokio::select! {
                biased;
                answer = &mut running => return answer,
                () = invocation.stalls() => {}
            }
            if let Some(Fate::Stalled { seconds, .. }) = fate {
                entered.take();
                self.on_stall();
                let stall = Duration::from_secs(u64::from(seconds));
                let meanwhile: Pin<Box<dyn Future<Output = bool> + '_>> =
                    Box::pin(self.until(stall, async |_| false));
                meanwhile.await;
                entered = Some(self.gate.enter(invocation.number));
            }
            invocation.resume();
        }
    }

    /// Sends a request to the API; status and body, if there is an answer.
    #[expect(
        clippy::expect_used,
        reason = "requests and answers of the harness are well-formed"
    )]
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let function = format!("instances.{}", method.as_str().to_lowercase());
        let respond = || async {
            let mut request = Request::builder().method(&method).uri(path);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
            let request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body)
                .expect("a request");
            let Ok(response) = self.api.clone().oneshot(request).await;
            let status = response.status().as_u16();
            if let Some(invocation) = Invocation::current() {
                self.faults
                    .on_answer(invocation.number, method.as_str(), path, status);
            }
            let body = response
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        self.invoke(&function, respond).await.ok()
    }

    /// Runs the sweep; nothing if it was killed, and its error if it had one.
    #[expect(
        clippy::expect_used,
        reason = "the events of the harness are well-formed"
    )]
    pub async fn sweep(&self, event: Value) -> Option<Result<haulout_refresh::Report, String>> {
        let function = match event["source"].as_str() {
            Some("haulout.schedule") => "refresh.schedule",
            Some("aws.states") => "refresh.event",
            _ => "refresh.pool",
        };
        let event = RefreshEvent::try_from(event).expect("a known event");
        let work = || async {
            self.refresh
                .run(&event)
                .await
                .map_err(|error| error.to_string())
        };
        Box::pin(self.invoke(function, work)).await.ok()
    }

    /// Delivers what wakes the pool; what found no function that answers is delivered once more.
    pub(crate) async fn wake_pool(&self, event: Value) {
        for _ in 0..DELIVERIES {
            if let Some(Ok(_)) = Box::pin(self.sweep(event.clone())).await {
                return;
            }
        }
    }

    /// Delivers an event of EC2's; one that found no function that answers is delivered once more.
    pub(crate) async fn ec2_event(&self, event: Value) {
        for _ in 0..DELIVERIES {
            let work = || async { self.events.run(event.clone()).await };
            if let Ok(Ok(_)) = Box::pin(self.invoke("events.ec2", work)).await {
                return;
            }
        }
    }

    /// Delivers records of the stream; how many were taken, from the first one on.
    pub(crate) async fn stream(&self, records: &[Value]) -> usize {
        let event = json!({"Records": records});
        let work = || async { self.events.run(event.clone()).await };
        let answer = Box::pin(self.invoke("events.stream", work)).await;
        let Ok(Ok(answer)) = answer else {
            return 0;
        };
        let Some(failed) = answer.batch_item_failures.first() else {
            return records.len();
        };
        let number = |record: &Value| record["dynamodb"]["SequenceNumber"].clone();
        let is_failed = |record: &Value| number(record) == failed.item_identifier.as_str();
        records.iter().position(is_failed).unwrap_or(0)
    }
}

/// The schedule's event.
pub fn schedule_event() -> Value {
    json!({"source": "haulout.schedule"})
}

/// EventBridge's event of an execution that ended.
pub fn execution_event(execution: &str, status: &str) -> Value {
    json!({
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "executionArn": format!("arn:aws:states:us-east-1:123456789012:execution:haulout-provision:{execution}"),
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:haulout-provision",
            "name": execution,
            "status": status,
        },
    })
}

impl Tasks for World {
    async fn invoke(&self, resource: &str, payload: Value) -> Result<Value, TaskError> {
        if resource != FUNCTION_ARN {
            return Err(TaskError::named(
                "Lambda.ResourceNotFoundException",
                resource,
            ));
        }
        let function = format!("provision.{}", payload["step"].as_str().unwrap_or_default());
        let event: StepEvent = serde_json::from_value(payload)
            .map_err(|error| TaskError::of_function("serde_json::Error", &error.to_string()))?;
        let answer = Box::pin(World::invoke(self, &function, || {
            self.provision.handle(&event)
        }))
        .await;
        match answer {
            Ok(Ok(next)) => serde_json::to_value(next)
                .map_err(|error| TaskError::named("Lambda.Unknown", &error.to_string())),
            Ok(Err(error)) => {
                let Diagnostic {
                    error_type,
                    error_message,
                } = error.into();
                Err(TaskError::of_function(&error_type, &error_message))
            }
            Err(NoAnswer::Refused(error)) => Err(TaskError::named(error, "Rate Exceeded.")),
            Err(NoAnswer::Killed(death)) => Err(death.reported()),
        }
    }
}

impl Death {
    /// As Step Functions is told of it.
    fn reported(self) -> TaskError {
        match self {
            Self::Exit => TaskError::of_function(
                "Runtime.ExitError",
                "RequestId: 6f5a Error: Runtime exited with error: signal: killed",
            ),
            Self::Unknown => TaskError::named(
                "Lambda.Unknown",
                "The cause could not be determined because Lambda did not return an error type.",
            ),
            Self::TimedOut => TaskError::of_function(
                "Sandbox.Timedout",
                "RequestId: 6f5a Error: Task timed out after 60.00 seconds",
            ),
        }
    }
}
