//! Whether the deployment is being drained.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, machines::Item, text};
use crate::error::AwsError;

pub(super) const DRAIN: &str = "drain";

/// No machine is made, and all are ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Since when.
    pub since: Timestamp,
    /// Who began it.
    pub by: String,
}

impl Store {
    /// The drain that is on, if any.
    pub async fn drain(&self) -> Result<Option<Drain>, StoreError> {
        let item = self.control_item(DRAIN).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Begins a drain. One that is on stays as it is.
    pub async fn start_drain(&self, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let drain = Drain {
            since: now,
            by: by.to_owned(),
        };
        let mut item: Item = serde_dynamo::to_item(drain)?;
        item.insert("pk".to_owned(), text(DRAIN));
        let answer = self
            .client
            .put_item()
            .table_name(&self.control)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error));
        match answer {
            Err(error) if !error.is("ConditionalCheckFailedException") => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Ends the drain, if one is on.
    pub async fn end_drain(&self) -> Result<(), StoreError> {
        self.delete_control(DRAIN).await
    }
}
