//! Hears what happens. At EC2: instances that change their state, spot instances that are taken back. In the
//! records: what their stream shows is told to people. An event is a hint: it may come late, twice or out of
//! order, or not at all, and the sweep stands behind it.

mod ec2;
mod event;
mod moving;
mod stream;

use haulout_aws::{
    clock::Clock,
    compute::Compute,
    emf::Metrics,
    groups::Groups,
    notify::Notifier,
    orders::{Hands, Trouble},
    store::{Store, StoreError},
    workflow::Workflow,
};
use serde::Serialize;
use serde_json::Value;

pub use event::{Event, EventError, RecordError, StreamRecord};

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Events {
    /// The records.
    pub store: Store,
    /// EC2's instances.
    pub compute: Compute,
    /// EC2's security groups.
    pub groups: Groups,
    /// Step Functions.
    pub workflow: Workflow,
    /// Where people are told.
    pub notifier: Notifier,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

/// An event that was not dealt with. Lambda sends it again, and then leaves it to people.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// It makes no sense.
    #[error("the event cannot be read")]
    Event(#[from] EventError),
    /// The machine could not be taken on.
    #[error("the event could not be acted on")]
    Trouble(#[from] Trouble),
}

impl From<StoreError> for EventsError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.into())
    }
}

/// The function's answer. Of a batch of the stream, everything from the first one named here on is sent again
/// (Lambda developer guide, "Reporting batch item failures"); EventBridge reads no answer.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Where the batch was broken off.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record of the stream that was not dealt with.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}

impl Events {
    /// Deals with an event.
    pub async fn run(&self, event: Value) -> Result<Answer, EventsError> {
        match Event::try_from(event)? {
            Event::State { instance, state } => {
                Box::pin(self.instance_changed(&instance, state)).await?;
            }
            Event::Interruption { instance } => Box::pin(self.interrupted(&instance)).await?,
            Event::Other { detail_type } => {
                tracing::warn!(detail_type, "an event that nobody needs here");
            }
            Event::Stream(records) => return Ok(Box::pin(self.written(&records)).await),
        }
        Ok(Answer::default())
    }

    fn hands(&self) -> Hands {
        Hands {
            store: self.store.clone(),
            compute: self.compute.clone(),
            groups: self.groups.clone(),
            workflow: self.workflow.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }
}
