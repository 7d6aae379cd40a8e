//! What the function `sync` is invoked with: S3's events by way of EventBridge, or the schedule.

use serde::Deserialize;
use serde_json::Value;

/// An event that is not what its kind promises; the deployment, or this code, is wrong.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Its JSON has another shape.
    #[error("an event of another shape")]
    Shape(#[from] serde_json::Error),
    /// Not from where this function is woken.
    #[error("neither the schedule's event nor one of S3's, but of {0:?}")]
    Source(Option<String>),
}

/// Why the function was invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReconcileEvent {
    /// It is time again: go through everything.
    Schedule,
    /// Something happened to the object of this key.
    Object(String),
    /// An event of S3's that nobody needs here, by its type.
    Other(String),
}

/// Amazon S3 User Guide, "EventBridge event message structure". The key is not encoded.
#[derive(Deserialize)]
struct S3Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

impl TryFrom<Value> for ReconcileEvent {
    type Error = EventError;

    fn try_from(event: Value) -> Result<Self, EventError> {
        match event.get("source").and_then(Value::as_str) {
            Some("haulout.schedule") => Ok(Self::Schedule),
            Some("aws.s3") => {
                let S3Event {
                    detail_type,
                    detail,
                } = serde_json::from_value(event)?;
                Ok(match detail_type.as_str() {
                    "Object Created" | "Object Deleted" => Self::Object(detail.object.key),
                    _ => Self::Other(detail_type),
                })
            }
            source => Err(EventError::Source(source.map(str::to_owned))),
        }
    }
}
