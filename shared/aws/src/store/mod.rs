//! DynamoDB: the `machines` table, where every record lives; `projects`, which says what machine a project has; and
//! `control`, for what is neither (idempotency keys, counters, leases, what holds for a while). Every write of a record is conditional on what was read.

mod cache;
mod capacity;
mod claims;
mod control;
mod counts;
mod create;
mod drain;
mod lease;
mod listing;
mod machines;
mod pool;
mod quota;
mod sightings;
mod sync;
mod tickets;
mod transaction;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use haulout_domain::ids::MachineId;

pub use self::{
    claims::Claimed,
    counts::Counts,
    create::{Created, Idempotency},
    drain::Drain,
    listing::{Filter, Page, Whose},
    pool::IDLE_SHARDS,
    sightings::Sighting,
    tickets::Redeemed,
};
use crate::error::AwsError;

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Machines' records.
    pub machines: String,
    /// Idempotency keys, counters, leases.
    pub control: String,
    /// What machine a project has.
    pub projects: String,
}

/// The tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    machines: String,
    control: String,
    projects: String,
    /// The SDK's way to wait.
    sleep: SharedAsyncSleep,
}

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB said no, or nothing.
    #[error("the store did not answer as it should")]
    Aws(#[from] AwsError),
    /// The record changed under every try.
    #[error("the record of machine {0} kept changing")]
    Conflict(MachineId),
    /// A record, or the attributes for one, could not be converted.
    #[error("a stored item is not what it should be")]
    Shape(#[from] serde_dynamo::Error),
}

impl StoreError {
    /// Repeating it may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Aws(error) => error.is_transient(),
            Self::Conflict(_) => true,
            Self::Shape(_) => false,
        }
    }
}

impl Store {
    /// A store on these tables.
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        let Tables {
            machines,
            control,
            projects,
        } = tables;
        Self {
            client: Client::new(config),
            machines,
            control,
            projects,
            sleep: config
                .sleep_impl()
                .unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new())),
        }
    }
}

/// A string attribute.
fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
