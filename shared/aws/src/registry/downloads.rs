//! Who asked for which package, and whether they were given it. Kept for 400 days.

use haulout_domain::package::{PackageName, PackageVersion};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Item, Registry, RegistryError, number, text};
use crate::error::AwsError;

/// How long an entry is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What became of a request for a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadStatus {
    /// It was given.
    Allowed,
    /// It was refused.
    Blocked,
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Who asked.
    pub user_id: String,
    /// For what.
    pub name: PackageName,
    /// For which one of it.
    pub version: PackageVersion,
    /// Whether it was given.
    pub status: DownloadStatus,
    /// Why, or why not.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Some entries of a user's history.
#[derive(Debug, Clone)]
pub struct DownloadPage {
    /// The entries, newest first.
    pub downloads: Vec<Download>,
    /// Where the next page starts: after this entry. Nothing at the end.
    pub next: Option<String>,
}

impl Registry {
    /// Adds an entry.
    pub async fn note_download(&self, download: &Download) -> Result<(), RegistryError> {
        // Of one width, so that the order of the texts is that of the times.
        let at_id = format!("{:.3}#{}", download.at, Uuid::now_v7());
        let purge_at = download.at.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let mut item: Item = serde_dynamo::to_item(download)?;
        item.insert("at_id".to_owned(), text(at_id));
        item.insert("purge_at".to_owned(), number(purge_at.as_second()));
        self.client
            .put_item()
            .table_name(&self.tables.downloads)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error))?;
        Ok(())
    }

    /// Some entries of a user, newest first, after the one named.
    pub async fn downloads(
        &self,
        user_id: &str,
        after: Option<String>,
        limit: i32,
    ) -> Result<DownloadPage, RegistryError> {
        let start = after.map(|at_id| {
            Item::from([
                ("user_id".to_owned(), text(user_id)),
                ("at_id".to_owned(), text(at_id)),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.tables.downloads)
            .key_condition_expression("user_id = :user")
            .expression_attribute_values(":user", text(user_id))
            .set_exclusive_start_key(start)
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let last = answer.last_evaluated_key.unwrap_or_default();
        let items = answer.items.unwrap_or_default();
        let downloads: Result<_, _> = items.into_iter().map(serde_dynamo::from_item).collect();
        Ok(DownloadPage {
            downloads: downloads?,
            next: last.get("at_id").and_then(|it| it.as_s().ok()).cloned(),
        })
    }
}
