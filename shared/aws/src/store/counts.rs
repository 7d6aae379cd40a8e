//! How many records there are: kept in `control`, so that no list has to be counted on a request.

use std::collections::BTreeMap;

use haulout_domain::status::{Source, Status};
use serde::{Deserialize, Serialize};

use super::{Filter, Store, StoreError};

const COUNTS: &str = "counts";

/// How many records there are, by status and source, at the time of the last sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    records: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts a record.
    pub fn add(&mut self, status: Status, source: Source) {
        *self.records.entry(label(status, source)).or_default() += 1;
    }

    /// How many match.
    pub fn total(&self, filter: Filter) -> u64 {
        Status::ALL
            .iter()
            .filter(|status| filter.status.is_none_or(|wanted| wanted == **status))
            .flat_map(|status| Source::ALL.iter().map(move |source| (*status, *source)))
            .filter(|(_, source)| filter.source.is_none_or(|wanted| wanted == *source))
            .filter_map(|(status, source)| self.records.get(&label(status, source)))
            .sum()
    }
}

fn label(status: Status, source: Source) -> String {
    format!("{status}#{source}")
}

impl Store {
    /// The counts of the last sweep; zeroes before the first one.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let item = self.control_item(COUNTS).await?;
        let counts = item.map(serde_dynamo::from_item).transpose()?;
        Ok(counts.unwrap_or_default())
    }

    /// Keeps what a sweep counted.
    pub async fn keep_counts(&self, counts: &Counts) -> Result<(), StoreError> {
        self.put_control(COUNTS, serde_dynamo::to_item(counts)?, None)
            .await
    }
}
