//! Items of the `control` table. Those that hold for a while only have `expires_at`, in seconds since the epoch.
//! DynamoDB deletes late: readers check it themselves.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::{Store, StoreError, machines::Item, number, text};
use crate::error::AwsError;

/// The attribute for the end of an item's use.
pub(super) const EXPIRES_AT: &str = "expires_at";

impl Store {
    /// An item as it is now (a strongly consistent read).
    pub(super) async fn control_item(&self, pk: &str) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.control)
            .key("pk", text(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item)
    }

    /// Writes an item over whatever is there.
    pub(super) async fn put_control(
        &self,
        pk: &str,
        mut item: Item,
        expires_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        item.insert("pk".to_owned(), text(pk));
        if let Some(at) = expires_at {
            item.insert(EXPIRES_AT.to_owned(), number(at.as_second()));
        }
        self.client
            .put_item()
            .table_name(&self.control)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error))?;
        Ok(())
    }

    /// Deletes an item, if it is there.
    pub(super) async fn delete_control(&self, pk: &str) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.control)
            .key("pk", text(pk))
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteItem", error))?;
        Ok(())
    }
}

/// The item is still of use.
pub(super) fn holds(item: &Item, now: Timestamp) -> bool {
    match item.get(EXPIRES_AT) {
        Some(AttributeValue::N(at)) => at.parse().is_ok_and(|at: i64| at > now.as_second()),
        _ => false,
    }
}
