//! Faults on demand: errors, lost answers and delays of actions, and machines that misbehave.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// A fault to be armed. It strikes the next `times` requests (or machines) that it fits, then is spent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// `ec2`, `autoscaling`, `ssm`, `cloudwatch`, or `machine` for a machine's own behaviour.
    pub service: String,
    /// The action, e.g. `RunInstances`, or `*` for each; of a machine `boot`, `register`, `status` (at a launch or a
    /// start), `stop` or `command`.
    pub action: String,
    /// An AWS error code, `lost_response` (the connection is closed without an answer) or `hang` (no answer for
    /// `delay_ms`, then the connection is closed); absent: only the delay. Of a machine `never`, `slow`, `dies`, `hang`.
    pub error: Option<String>,
    /// Status of the error, when not the one AWS answers it with.
    pub http_status: Option<u16>,
    /// How often it strikes.
    pub times: u32,
    /// The action is done first, and its answer then replaced.
    pub after_effect: bool,
    /// Which requests it fits; absent: each of that action.
    #[serde(rename = "match")]
    pub matching: Option<Match>,
    /// Wait before the answer (real milliseconds), or how much later a slow machine is (simulated milliseconds).
    pub delay_ms: Option<u64>,
    /// The state reason's code of a machine that dies while booting: at a launch it is terminated, at a start stopped.
    pub reason: Option<String>,
}

/// What a request must contain for a fault to strike.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Match {
    /// This text anywhere in the request: `Name=value&…` of EC2 (not encoded), the JSON body of Systems Manager.
    Text(String),
    /// These parameters of EC2 by full name, or this part of the JSON body.
    Fields(Map<String, Value>),
}

/// A fault that makes no sense.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {message}")]
pub struct FaultError {
    /// The field that is wrong.
    pub field: String,
    /// What is wrong with it and what it may be.
    pub message: String,
}

impl Fault {
    /// A fault that strikes once, before the action is done.
    pub fn new(service: &str, action: &str, error: &str) -> Self {
        Self {
            service: service.into(),
            action: action.into(),
            error: Some(error.into()),
            http_status: None,
            times: 1,
            after_effect: false,
            matching: None,
            delay_ms: None,
            reason: None,
        }
    }

    /// Strikes that often.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Lets the action be done, then answers the error instead.
    #[must_use]
    pub fn after_effect(self) -> Self {
        Self {
            after_effect: true,
            ..self
        }
    }

    /// Strikes only requests that contain `text`.
    #[must_use]
    pub fn matching(self, text: &str) -> Self {
        Self {
            matching: Some(Match::Text(text.into())),
            ..self
        }
    }

    /// Waits that long before the answer, or makes a machine that much slower.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self {
            delay_ms: Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            ..self
        }
    }

    pub(super) fn delay_or(&self, default: Duration) -> Duration {
        self.delay_ms.map_or(default, Duration::from_millis)
    }
}
