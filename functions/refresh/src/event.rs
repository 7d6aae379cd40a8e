//! What invokes this function: the schedule, EventBridge when an execution ends badly or a group's instances come and
//! go, the stream of the projects table, or somebody who wants to know what the sweep would do.

use haulout_domain::{ids::MachineId, naming};
use serde::Deserialize;
use serde_json::Value;

/// An event that is none of these; the deployment is wrong.
#[derive(Debug, thiserror::Error)]
#[error("neither the schedule's event, an execution's, a group's nor a stream's: {0}")]
pub struct UnknownEvent(String);

/// Why the function was invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshEvent {
    /// The minute is over: look at everything.
    Schedule,
    /// Something happened to the pool: an instance of its group came or went, a machine was claimed or released, or a
    /// project was refused.
    Pool,
    /// Look at everything, say what would be done, and do nothing.
    DryRun,
    /// An execution failed, timed out or was aborted: look at its machine.
    ExecutionEnded(Option<MachineId>),
}

/// The input of the schedule in template.yaml.
#[derive(Deserialize)]
struct Scheduled {
    #[serde(default)]
    dry_run: bool,
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
        let malformed = |error: serde_json::Error| UnknownEvent(error.to_string());
        if is_of_stream(&event) {
            return Ok(Self::Pool);
        }
        match event.get("source").and_then(Value::as_str) {
            Some("haulout.schedule") => {
                let Scheduled { dry_run } = serde_json::from_value(event).map_err(malformed)?;
                Ok(if dry_run {
                    Self::DryRun
                } else {
                    Self::Schedule
                })
            }
            Some("aws.states") => {
                let change: StatusChange = serde_json::from_value(event).map_err(malformed)?;
                Ok(Self::ExecutionEnded(naming::machine_of_execution(
                    &change.detail.name,
                )))
            }
            Some("aws.autoscaling") => Ok(Self::Pool),
            source => Err(UnknownEvent(format!("source {source:?}"))),
        }
    }
}

/// What Lambda sends of a stream (Lambda developer guide, "Using Lambda with Amazon DynamoDB"). What the records say is
/// read from the tables.
fn is_of_stream(event: &Value) -> bool {
    let records = event.get("Records").and_then(Value::as_array);
    records.is_some_and(|records| {
        records
            .iter()
            .any(|record| record.get("eventSource") == Some(&Value::from("aws:dynamodb")))
    })
}
