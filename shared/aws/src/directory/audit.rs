//! Who changed what: kept by day, and longer than logs.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::{Directory, DirectoryError, Item, number, text};
use crate::{error::AwsError, telemetry::error_chain};

/// How long an entry is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A request that changed something, or would have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// When it was answered.
    pub at: Timestamp,
    /// Who sent it.
    pub who: String,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// Names it in the logs.
    pub request_id: String,
    /// Where it came from.
    pub address: String,
}

impl Directory {
    /// Keeps an entry. What it tells of has happened: when that fails, the log says so, and nothing else does.
    pub async fn record(&self, entry: &AuditEntry) {
        if let Err(error) = self.put_entry(entry).await {
            tracing::error!(
                error = error_chain(&error),
                ?entry,
                "an entry of the audit trail was lost"
            );
        }
    }

    async fn put_entry(&self, entry: &AuditEntry) -> Result<(), DirectoryError> {
        // Of one length for all, so that they sort by time.
        let at = format!("{:.3}", entry.at);
        let day = at.split('T').next().unwrap_or_default();
        let mut item: Item = serde_dynamo::to_item(entry)?;
        item.insert("day".to_owned(), text(day));
        item.insert("at_id".to_owned(), text(format!("{at}#{}", Uuid::now_v7())));
        let ends = (entry.at + KEPT).as_second();
        item.insert("purge_at".to_owned(), number(ends));
        self.client
            .put_item()
            .table_name(&self.audit)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error))?;
        Ok(())
    }
}
