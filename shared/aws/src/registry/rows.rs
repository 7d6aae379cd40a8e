//! Reading and changing one row of a table: read, change, write if nobody wrote in between.

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::package::{Package, PackageRef, Upload, UploadId};
use jiff::SignedDuration;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Item, REFUSED, Registry, RegistryError, RegistryTables, number, text};
use crate::error::AwsError;

/// How often a change is tried on a row that others change at the same time.
const TRIES: u32 = 8;
/// The attribute that tells a write from another one of the same content.
const WRITE: &str = "write_id";
/// For how long the row of an upload is kept after its time: what its object is can be told by it.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The one value of the sparse index of uploads that have not ended.
pub(super) const OPEN: &str = "1";
/// The one value of the index over all packages.
pub(super) const KIND: &str = "package";

/// The rows of a page. One that cannot be read is told, and does not keep anybody from the others.
pub(super) fn readable<R: Row>(items: Vec<Item>) -> Vec<R> {
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        match serde_dynamo::from_item(item) {
            Ok(row) => rows.push(row),
            Err(error) => tracing::error!(%error, "a row of the registry cannot be read"),
        }
    }
    rows
}

/// What a table holds.
pub(super) trait Row: Serialize + DeserializeOwned + Clone + PartialEq {
    /// By what it is found.
    type Id;
    /// The attribute that counts its writes.
    const COUNTER: &'static str;
    /// Its table.
    fn table(tables: &RegistryTables) -> &str;
    /// Its key.
    fn key(id: &Self::Id) -> Item;
    /// How often it was written.
    fn counter(&mut self) -> &mut u64;
    /// What is stored beside its fields, for the indexes and for the time to live.
    fn extras(&self) -> Item;
}

impl Row for Upload {
    type Id = UploadId;
    const COUNTER: &'static str = "version";

    fn table(tables: &RegistryTables) -> &str {
        &tables.uploads
    }

    fn key(id: &UploadId) -> Item {
        Item::from([("id".to_owned(), text(id.as_str()))])
    }

    fn counter(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn extras(&self) -> Item {
        let mut extras = Item::new();
        if !self.status.is_final() {
            extras.insert("open".to_owned(), text(OPEN));
        }
        // One that is being committed waits for whoever goes on with it, however late.
        let is_committing = self.status == haulout_domain::package::UploadStatus::Committing;
        if let (false, Ok(at)) = (is_committing, self.expires_at.checked_add(KEPT)) {
            extras.insert("purge_at".to_owned(), number(at.as_second()));
        }
        extras
    }
}

impl Row for Package {
    type Id = PackageRef;
    const COUNTER: &'static str = "revision";

    fn table(tables: &RegistryTables) -> &str {
        &tables.packages
    }

    fn key(id: &PackageRef) -> Item {
        Item::from([
            ("name".to_owned(), text(id.name.as_str())),
            ("version".to_owned(), text(id.version.as_str())),
        ])
    }

    fn counter(&mut self) -> &mut u64 {
        &mut self.revision
    }

    fn extras(&self) -> Item {
        Item::from([
            ("kind".to_owned(), text(KIND)),
            (
                "name_version".to_owned(),
                text(self.reference().to_string()),
            ),
        ])
    }
}

/// A row as it is stored.
pub(super) fn item<R: Row>(row: &R) -> Result<Item, RegistryError> {
    let mut item: Item = serde_dynamo::to_item(row)?;
    item.extend(row.extras());
    Ok(item)
}

impl Registry {
    /// The row as it is now (a strongly consistent read).
    pub(super) async fn row<R: Row>(&self, id: &R::Id) -> Result<Option<R>, RegistryError> {
        let item = self.stored::<R>(id).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    async fn stored<R: Row>(&self, id: &R::Id) -> Result<Option<Item>, RegistryError> {
        let answer = self
            .client
            .get_item()
            .table_name(R::table(&self.tables))
            .set_key(Some(R::key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item)
    }

    /// Changes a row: reads it, applies `change`, and writes it if nobody wrote in between; otherwise once more from
    /// the start. `change` decides on what it is given and may be called several times. Answers the row as it now
    /// stands and what `change` said; nothing if there is no such row.
    pub(super) async fn change<R: Row, T>(
        &self,
        id: &R::Id,
        name: &str,
        mut change: impl FnMut(&mut R) -> T,
    ) -> Result<Option<(R, T)>, RegistryError> {
        let mut tried: Vec<(AttributeValue, R, T)> = Vec::new();
        for tries in 1..=TRIES {
            let Some(stored) = self.stored::<R>(id).await? else {
                return Ok(None);
            };
            // A write whose answer was lost, and whose repetition was then refused, is ours after all.
            let is_ours = |(write, ..): &(AttributeValue, _, _)| stored.get(WRITE) == Some(write);
            if let Some(at) = tried.iter().position(is_ours) {
                let (_, ours, said) = tried.swap_remove(at);
                return Ok(Some((ours, said)));
            }
            let mut before: R = serde_dynamo::from_item(stored)?;
            let mut after = before.clone();
            let said = change(&mut after);
            if after == before {
                return Ok(Some((after, said)));
            }
            let counter = *before.counter();
            *after.counter() = counter + 1;
            let write = text(Uuid::now_v7().to_string());
            if self.replace(counter, &after, write.clone()).await? {
                return Ok(Some((after, said)));
            }
            tried.push((write, after, said));
            self.pause(tries).await;
        }
        Err(RegistryError::Conflict(name.to_owned()))
    }

    /// Writes a row over the version of it that was read; false when it has another one by now, or others write it.
    async fn replace<R: Row>(
        &self,
        counter: u64,
        row: &R,
        write: AttributeValue,
    ) -> Result<bool, RegistryError> {
        let mut item = item(row)?;
        item.insert(WRITE.to_owned(), write);
        let answer = self
            .client
            .put_item()
            .table_name(R::table(&self.tables))
            .set_item(Some(item))
            .condition_expression("#counter = :counter")
            .expression_attribute_names("#counter", R::COUNTER)
            .expression_attribute_values(":counter", number(counter))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("PutItem", error)) {
            Ok(_) => Ok(true),
            Err(error) if error.is(REFUSED) || error.is("TransactionConflictException") => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}
