//! Reading and changing one machine's record.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::Machine,
};
use uuid::Uuid;

use super::{Store, StoreError, listing, number, text};
use crate::error::AwsError;

/// How often a change is tried on a record that others change at the same time.
const TRIES: u32 = 8;

/// The attribute that tells a write from another one of the same content.
const WRITE: &str = "write_id";

/// A stored item.
pub(super) type Item = HashMap<String, AttributeValue>;

impl Store {
    /// The record as it is now (a strongly consistent read).
    pub async fn get(&self, id: &MachineId) -> Result<Option<Machine>, StoreError> {
        let item = self.stored(id).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    async fn stored(&self, id: &MachineId) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.machines)
            .key("id", text(id.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item)
    }

    /// The record of the machine whose instance this is. An index read: it may lag by a moment.
    pub async fn find_by_instance(&self, id: &InstanceId) -> Result<Option<Machine>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.machines)
            .index_name("by_instance")
            .key_condition_expression("instance_id = :id")
            .expression_attribute_values(":id", text(id.as_str()))
            .limit(1)
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let item = answer.items.and_then(|items| items.into_iter().next());
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Changes a record: reads it, applies `change`, and writes it if nobody wrote in between; otherwise
    /// once more from the start. `change` decides on what it is given and may be called several times.
    /// Answers the record as it now stands and what `change` said; nothing if there is no such record.
    pub async fn update<T>(
        &self,
        id: &MachineId,
        mut change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StoreError> {
        let mut refused: Option<(AttributeValue, Machine, T)> = None;
        for _ in 0..TRIES {
            let Some(item) = self.stored(id).await? else {
                return Ok(None);
            };
            // A write whose answer was lost, and whose repetition was then refused, is ours after all. Its content
            // would not tell: somebody else may have made the same change.
            if let Some((write, ours, said)) = refused.take()
                && item.get(WRITE) == Some(&write)
            {
                return Ok(Some((ours, said)));
            }
            let before: Machine = serde_dynamo::from_item(item)?;
            let mut after = before.clone();
            let said = change(&mut after);
            if after == before {
                return Ok(Some((after, said)));
            }
            after.version = before.version + 1;
            let write = text(Uuid::now_v7());
            if self.replace(before.version, &after, &write).await? {
                return Ok(Some((after, said)));
            }
            refused = Some((write, after, said));
        }
        Err(StoreError::Conflict(id.clone()))
    }

    /// Writes a record over its version `version`; false when it has another by now.
    async fn replace(
        &self,
        version: u64,
        machine: &Machine,
        write: &AttributeValue,
    ) -> Result<bool, StoreError> {
        let mut item = item(machine)?;
        item.insert(WRITE.to_owned(), write.clone());
        let answer = self
            .client
            .put_item()
            .table_name(&self.machines)
            .set_item(Some(item))
            .condition_expression("version = :version")
            .expression_attribute_values(":version", number(version))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = AwsError::new("PutItem", error);
                if error.is("ConditionalCheckFailedException") {
                    Ok(false)
                } else {
                    Err(error.into())
                }
            }
        }
    }
}

/// A record as it is stored: its fields, the constant key of the listing index, and the time to live.
pub(super) fn item(machine: &Machine) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(machine)?;
    item.insert("listing".to_owned(), text(listing::ALL));
    if let Some(purge_at) = machine.purge_at() {
        item.insert("purge_at".to_owned(), number(purge_at.as_second()));
    }
    Ok(item)
}
