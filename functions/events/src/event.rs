//! What the function is invoked with: EC2's events by way of EventBridge, or records of the machines table's
//! stream.

use haulout_domain::{
    ids::{IdError, InstanceId},
    machine::Machine,
    status::{InstanceState, UnknownWord},
};
use serde::Deserialize;
use serde_dynamo::Item;
use serde_json::Value;

/// An event that is not what its kind promises; the deployment, or this code, is wrong.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Its JSON has another shape.
    #[error("an event of another shape")]
    Shape(#[from] serde_json::Error),
    /// The id is none of an instance's.
    #[error("an event without an instance")]
    Instance(#[from] IdError),
    /// The state is none that this code knows.
    #[error("an event with an unknown state")]
    State(#[from] UnknownWord),
    /// Neither EventBridge's nor the stream's.
    #[error("neither an event of EventBridge nor records of a stream")]
    Unknown,
}

/// An event.
#[derive(Debug)]
pub enum Event {
    /// "EC2 Instance State-change Notification".
    State {
        /// The instance.
        instance: InstanceId,
        /// The state it is in, or was when the event was sent.
        state: InstanceState,
    },
    /// "EC2 Spot Instance Interruption Warning": EC2 ends the instance in two minutes.
    Interruption {
        /// The instance.
        instance: InstanceId,
    },
    /// An event of EventBridge's that nobody needs here.
    Other {
        /// What it calls itself.
        detail_type: String,
    },
    /// Records of the stream, oldest first.
    Stream(Vec<StreamRecord>),
}

/// What EventBridge sends (EventBridge user guide, "Events").
#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    detail: Value,
}

/// EC2 user guide, "State change events" and "Spot Instance interruption notices".
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StateDetail {
    instance_id: String,
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct InterruptionDetail {
    instance_id: String,
}

/// What Lambda sends of a stream (Lambda developer guide, "Using Lambda with Amazon DynamoDB").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<StreamRecord>,
}

/// A write to the machines table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamRecord {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: String,
    /// What was written. Read late: what one record holds must not make the others unreadable.
    #[serde(default)]
    dynamodb: Value,
}

/// The part of a stream record that tells what was written. Each image is an item in DynamoDB's JSON.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write {
    #[serde(default)]
    old_image: Option<Item>,
    new_image: Item,
}

/// A record of the stream that holds no machine.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// No item in DynamoDB's JSON.
    #[error("a stream record of another shape")]
    Shape(#[from] serde_json::Error),
    /// An item that is no machine.
    #[error("a stream record that holds no machine")]
    Machine(#[from] serde_dynamo::Error),
}

impl TryFrom<Value> for Event {
    type Error = EventError;

    fn try_from(event: Value) -> Result<Self, EventError> {
        if event.get("Records").is_some() {
            let Batch { records } = serde_json::from_value(event)?;
            return Ok(Self::Stream(records));
        }
        if event.get("detail-type").is_none() {
            return Err(EventError::Unknown);
        }
        let Envelope {
            source,
            detail_type,
            detail,
        } = serde_json::from_value(event)?;
        match (source.as_str(), detail_type.as_str()) {
            ("aws.ec2", "EC2 Instance State-change Notification") => {
                let StateDetail { instance_id, state } = serde_json::from_value(detail)?;
                Ok(Self::State {
                    instance: instance_id.parse()?,
                    state: state.parse()?,
                })
            }
            ("aws.ec2", "EC2 Spot Instance Interruption Warning") => {
                let InterruptionDetail { instance_id } = serde_json::from_value(detail)?;
                Ok(Self::Interruption {
                    instance: instance_id.parse()?,
                })
            }
            _ => Ok(Self::Other { detail_type }),
        }
    }
}

impl StreamRecord {
    /// By this number the stream is told where to go on.
    pub fn sequence_number(&self) -> Option<&str> {
        self.dynamodb.get("SequenceNumber").and_then(Value::as_str)
    }

    /// The record before, if there was one, and as it was written; nothing when it was deleted.
    pub fn read(&self) -> Result<Option<(Option<Machine>, Machine)>, RecordError> {
        if self.event_name == "REMOVE" {
            return Ok(None);
        }
        let Write {
            old_image,
            new_image,
        } = Write::deserialize(&self.dynamodb)?;
        let before = old_image.map(serde_dynamo::from_item).transpose()?;
        Ok(Some((before, serde_dynamo::from_item(new_image)?)))
    }
}
