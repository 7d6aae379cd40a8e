//! DynamoDB: the registry of packages. `packages` holds what can be had, `uploads` what is on its way there, `downloads`
//! who asked for what. Every write of a row is conditional on what was read.

mod downloads;
mod packages;
mod rows;
mod transaction;
mod uploads;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

pub use self::{
    downloads::{Download, DownloadPage, DownloadStatus},
    packages::{PackagePage, Published},
    uploads::{Began, OpenPosition, Repeatable},
};
use crate::error::AwsError;

/// A stored item.
type Item = HashMap<String, AttributeValue>;

/// The code by which DynamoDB says that a write's condition does not hold.
const REFUSED: &str = "ConditionalCheckFailedException";

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryTables {
    /// Packages' records.
    pub packages: String,
    /// Uploads' records, and the idempotency keys of those who began them.
    pub uploads: String,
    /// Who asked for what, and was given it or not.
    pub downloads: String,
}

/// The tables.
#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
    tables: RegistryTables,
    /// The SDK's way to wait.
    sleep: SharedAsyncSleep,
}

/// What the registry could not do.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// DynamoDB said no, or nothing.
    #[error("the registry did not answer as it should")]
    Aws(#[from] AwsError),
    /// The row changed under every try.
    #[error("the row of {0} kept changing")]
    Conflict(String),
    /// A row, or the attributes for one, could not be converted.
    #[error("a stored item is not what it should be")]
    Shape(#[from] serde_dynamo::Error),
}

impl Registry {
    /// A registry on these tables.
    pub fn new(config: &SdkConfig, tables: RegistryTables) -> Self {
        Self {
            client: Client::new(config),
            tables,
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
