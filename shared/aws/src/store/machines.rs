//! Reading and changing one machine's record.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::Machine,
};
use uuid::Uuid;

use super::{
    Store, StoreError, listing, number, pool,
    quota::Place,
    text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// How often a change is tried on a record that others change at the same time.
const TRIES: u32 = 8;

/// The attribute that tells a write from another one of the same content.
pub(super) const WRITE: &str = "write_id";

/// Nobody wrote the record in between.
pub(super) const UNCHANGED: &str = "version = :version";

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
    ///
    /// A machine that closes gives its place in its owner's quota back, and one whose claim changes takes its project's
    /// row along, in the same transaction.
    pub async fn update<T>(
        &self,
        id: &MachineId,
        change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StoreError> {
        // Boxed: several records are held over its waits.
        Box::pin(self.update_known(id, None, change)).await
    }

    /// As [`Self::update`], for whoever has just read the record: it is read again only if it has changed since.
    pub async fn update_read<T>(
        &self,
        read: &Machine,
        change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StoreError> {
        Box::pin(self.update_known(&read.id, Some(read.clone()), change)).await
    }

    async fn update_known<T>(
        &self,
        id: &MachineId,
        mut known: Option<Machine>,
        mut change: impl FnMut(&mut Machine) -> T,
    ) -> Result<Option<(Machine, T)>, StoreError> {
        let mut tried: Vec<(AttributeValue, Machine, T)> = Vec::new();
        for tries in 1..=TRIES {
            let before = if let Some(known) = known.take() {
                known
            } else {
                let Some(item) = self.stored(id).await? else {
                    return Ok(None);
                };
                // A write whose answer was lost, and whose repetition was then refused, is ours after all. Its content
                // would not tell: somebody else may have made the same change.
                let is_ours = |(write, ..): &(AttributeValue, _, _)| item.get(WRITE) == Some(write);
                if let Some(at) = tried.iter().position(is_ours) {
                    let (_, ours, said) = tried.swap_remove(at);
                    return Ok(Some((ours, said)));
                }
                serde_dynamo::from_item(item)?
            };
            let mut after = before.clone();
            let said = change(&mut after);
            if after.closed_at.is_some() {
                after.counted = false;
            }
            if after == before {
                return Ok(Some((after, said)));
            }
            after.version = before.version + 1;
            let write = Uuid::now_v7().to_string();
            match self.replace(&before, &after, &write).await? {
                Replaced::Yes => return Ok(Some((after, said))),
                Replaced::Outdated => {}
                Replaced::Met => self.pause(tries).await,
            }
            tried.push((text(write), after, said));
        }
        Err(StoreError::Conflict(id.clone()))
    }

    /// Writes a record over the version of it that was read, and with it the owner's quota and the project's row, if
    /// they change.
    async fn replace(
        &self,
        before: &Machine,
        after: &Machine,
        write: &str,
    ) -> Result<Replaced, StoreError> {
        let mut item = item(after)?;
        item.insert(WRITE.to_owned(), text(write));
        let places = Place::of(before, after)
            .map(|place| self.change_places(&after.owner, place))
            .transpose()?;
        let project = self.change_project(before, after)?;
        if places.is_none() && project.is_none() {
            return self.replace_alone(before.version, item).await;
        }
        let version = [(":version", number(before.version))];
        let record = put(&self.machines, item.clone(), UNCHANGED, version)?;
        let parts: Vec<_> = [Some(record), places, project]
            .into_iter()
            .flatten()
            .collect();
        match self.write_all(&parts, write).await? {
            Outcome::Done => Ok(Replaced::Yes),
            Outcome::Refused(conditions, _) if conditions.first() == Some(&true) => {
                Ok(Replaced::Outdated)
            }
            Outcome::Refused(..) => {
                // A machine must end even when its owner's counter, or its project's row, was lost.
                tracing::warn!(machine_id = %after.id, owner = after.owner, "what is written with the record is not as it should be");
                self.replace_alone(before.version, item).await
            }
            Outcome::Met(_) => Ok(Replaced::Met),
        }
    }

    async fn replace_alone(&self, version: u64, item: Item) -> Result<Replaced, StoreError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.machines)
            .set_item(Some(item))
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":version", number(version))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("PutItem", error)) {
            Ok(_) => Ok(Replaced::Yes),
            Err(error) if error.is("ConditionalCheckFailedException") => Ok(Replaced::Outdated),
            Err(error) if error.is("TransactionConflictException") => Ok(Replaced::Met),
            Err(error) => Err(error.into()),
        }
    }
}

/// How a write over a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaced {
    /// It is written.
    Yes,
    /// It is not: the record has another version by now.
    Outdated,
    /// It is not, or not yet: other writes of the same items were under way.
    Met,
}

/// A record as it is stored: its fields, the constant key of the listing index, and the time to live.
pub(super) fn item(machine: &Machine) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(machine)?;
    item.insert("listing".to_owned(), text(listing::ALL));
    item.extend(pool::idle_keys(machine).into_iter().flatten());
    if let Some(purge_at) = machine.purge_at() {
        item.insert("purge_at".to_owned(), number(purge_at.as_second()));
    }
    Ok(item)
}
