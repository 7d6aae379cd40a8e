//! Who may call: the `users` table; `tokens`, which holds sessions and what is counted of passwords that were guessed;
//! and `audit`, which keeps who changed what. Users are read as they are now: who is taken something away from loses
//! it at once.

mod attempts;
mod audit;
mod bootstrap;
mod change;
mod sessions;
mod transaction;
mod users;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use haulout_domain::identity::Username;

pub use self::{
    attempts::Attempt,
    audit::AuditEntry,
    change::Changed,
    users::{Made, Names, Registration, UsersPage},
};
use crate::error::AwsError;

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryTables {
    /// Users.
    pub users: String,
    /// Sessions, and wrong passwords in a row.
    pub tokens: String,
    /// Who changed what.
    pub audit: String,
}

/// The tables.
#[derive(Debug, Clone)]
pub struct Directory {
    client: Client,
    users: String,
    tokens: String,
    audit: String,
    /// The SDK's way to wait.
    sleep: SharedAsyncSleep,
}

/// What the directory could not do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// DynamoDB said no, or nothing.
    #[error("the directory did not answer as it should")]
    Aws(#[from] AwsError),
    /// What is kept of a user changed under every try.
    #[error("what is kept of user {0} kept changing")]
    Conflict(Username),
    /// An item, or the attributes for one, could not be converted.
    #[error("a stored item is not what it should be")]
    Shape(#[from] serde_dynamo::Error),
}

impl DirectoryError {
    /// Repeating it may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Aws(error) => error.is_transient(),
            Self::Conflict(_) => true,
            Self::Shape(_) => false,
        }
    }
}

impl Directory {
    /// A directory on these tables.
    pub fn new(config: &SdkConfig, tables: DirectoryTables) -> Self {
        let DirectoryTables {
            users,
            tokens,
            audit,
        } = tables;
        Self {
            client: Client::new(config),
            users,
            tokens,
            audit,
            sleep: config
                .sleep_impl()
                .unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new())),
        }
    }
}

/// A stored item.
type Item = HashMap<String, AttributeValue>;

/// How often a write is tried that meets others.
const TRIES: u32 = 8;

/// A string attribute.
fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
