//! Packages' records. Of two uploads of one version, the first one's record stays.

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::package::{Package, PackageRef, Upload};

use super::{
    Item, REFUSED, Registry, RegistryError, number,
    rows::{KIND, Row, item, readable},
    text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// There is no such package.
const NEW: &str = "attribute_not_exists(kind)";
/// How often a transaction that met another one is tried.
const TRIES: u32 = 8;

/// How the publication of a package went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// Its record is written, and its upload has ended with it.
    Done,
    /// Another upload's package has this name and version.
    Taken(Box<Package>),
    /// The upload's record changed meanwhile: read it again.
    Changed,
}

/// Some packages of the list.
#[derive(Debug, Clone)]
pub struct PackagePage {
    /// The packages.
    pub packages: Vec<Package>,
    /// Where the next page starts: after this one. Nothing at the end of the list.
    pub next: Option<PackageRef>,
}

impl Registry {
    /// A package's record as it is now.
    pub async fn package(&self, package: &PackageRef) -> Result<Option<Package>, RegistryError> {
        self.row(package).await
    }

    /// Writes the record of a package that is found in the bucket; false when there is one of that name and version.
    pub async fn create_package(&self, package: &Package) -> Result<bool, RegistryError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.tables.packages)
            .set_item(Some(item(package)?))
            .condition_expression(NEW)
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("PutItem", error)) {
            Ok(_) => Ok(true),
            // It may be this very one, and the answer was lost.
            Err(error) if error.is(REFUSED) => {
                Ok(self.package(&package.reference()).await?.as_ref() == Some(package))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a package of an upload, in one transaction: its record, if there is none of that name and version, and the
    /// end of the upload (`after`), if nobody wrote it since it was read (`before`).
    pub async fn publish(
        &self,
        package: &Package,
        before: &Upload,
        after: &Upload,
    ) -> Result<Published, RegistryError> {
        let mut after = after.clone();
        after.version = before.version + 1;
        let unchanged = "version = :version";
        let items = [
            put(&self.tables.packages, item(package)?, NEW, [])?,
            put(
                &self.tables.uploads,
                item(&after)?,
                unchanged,
                [(":version", number(before.version))],
            )?,
        ];
        for tries in 1..=TRIES {
            match self.write_all(&items).await? {
                Outcome::Done => return Ok(Published::Done),
                Outcome::Met(_) => self.pause(tries).await,
                Outcome::Refused(..) => {
                    let there = self.package(&package.reference()).await?;
                    return Ok(match there {
                        Some(there) if there.upload_id != package.upload_id => {
                            Published::Taken(Box::new(there))
                        }
                        _ => Published::Changed,
                    });
                }
            }
        }
        Err(RegistryError::Conflict(package.reference().to_string()))
    }

    /// Changes a package's record, as long as nobody else does. `change` may be called several times. Answers the record
    /// as it now stands and what `change` said; nothing if there is no such package.
    pub async fn update_package<T>(
        &self,
        package: &PackageRef,
        change: impl FnMut(&mut Package) -> T,
    ) -> Result<Option<(Package, T)>, RegistryError> {
        Box::pin(self.change(package, &package.to_string(), change)).await
    }

    /// Deletes a package's record, if it is still the one of this object.
    pub async fn delete_package(&self, package: &Package) -> Result<(), RegistryError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.tables.packages)
            .set_key(Some(Package::key(&package.reference())))
            .condition_expression("attribute_not_exists(kind) OR #key = :key")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":key", text(package.key.to_string()))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("DeleteItem", error)) {
            Err(error) if !error.is(REFUSED) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Some packages, by name and version, after the one named. An index read: it may lag by a moment.
    pub async fn packages(
        &self,
        after: Option<&PackageRef>,
        limit: i32,
    ) -> Result<PackagePage, RegistryError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.packages)
            .index_name("listing")
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .set_exclusive_start_key(after.map(start_key))
            .limit(limit)
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let items = answer.items.unwrap_or_default();
        let packages = readable(items);
        let last = answer.last_evaluated_key.unwrap_or_default();
        let next = match last.get("name_version") {
            Some(AttributeValue::S(name_version)) => name_version.parse().ok(),
            _ => None,
        };
        Ok(PackagePage { packages, next })
    }
}

/// Where a page of the list begins.
fn start_key(after: &PackageRef) -> Item {
    let mut key = Package::key(after);
    key.insert("kind".to_owned(), text(KIND));
    key.insert("name_version".to_owned(), text(after.to_string()));
    key
}
