//! What invokes the sweep: the schedule, or EventBridge when an execution ends badly.

use haulout_domain::{ids::MachineId, naming};
use serde::Deserialize;
use serde_json::Value;

/// An event that is neither of the two; the deployment is wrong.
#[derive(Debug, thiserror::Error)]
#[error("neither the schedule's event nor an execution status change: {0}")]
pub struct UnknownEvent(String);

/// Why the sweep was invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshEvent {
    /// The minute is over: look at everything.
    Schedule,
    /// An execution failed, timed out or was aborted: look at its machine.
    ExecutionEnded(Option<MachineId>),
}

/// "Step Functions Execution Status Change" (EventBridge, source `aws.states`).
#[derive(Deserialize)]
struct StatusChange {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    name: String,
}

impl TryFrom<Value> for RefreshEvent {
    type Error = UnknownEvent;

    fn try_from(event: Value) -> Result<Self, UnknownEvent> {
        match event.get("source").and_then(Value::as_str) {
            Some("haulout.schedule") => Ok(Self::Schedule),
            Some("aws.states") => {
                let change: StatusChange = serde_json::from_value(event)
                    .map_err(|error| UnknownEvent(error.to_string()))?;
                Ok(Self::ExecutionEnded(naming::machine_of_execution(
                    &change.detail.name,
                )))
            }
            source => Err(UnknownEvent(format!("source {source:?}"))),
        }
    }
}
