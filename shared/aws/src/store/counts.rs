//! How many records there are: kept in `control`, so that no list has to be counted on a request.

use std::collections::BTreeMap;

use haulout_domain::status::{Source, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Filter, Store, StoreError, number, text};
use crate::error::AwsError;

const COUNTS: &str = "counts";

/// How many records there are, by status and source, at the time of the last sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    records: BTreeMap<String, u64>,
}

impl Counts {
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

/// What counting reads of a record.
#[derive(Deserialize)]
struct SourceOnly {
    source: Source,
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

    /// Counts the records anew and keeps the result.
    pub async fn recount(&self, now: Timestamp) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for status in Status::ALL {
            self.count(*status, now, &mut counts).await?;
        }
        self.put_control(COUNTS, serde_dynamo::to_item(&counts)?, None)
            .await?;
        Ok(counts)
    }

    /// Counts the records in a status, by their source. Each is read once, whatever the number of sources.
    async fn count(
        &self,
        status: Status,
        now: Timestamp,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let mut sources = self
            .client
            .query()
            .table_name(&self.machines)
            .index_name("by_status")
            .projection_expression("#source")
            .key_condition_expression("#status = :status")
            .filter_expression("attribute_not_exists(purge_at) OR purge_at > :now")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":status", text(status.as_str()))
            .expression_attribute_values(":now", number(now.as_second()))
            .into_paginator()
            .items()
            .send();
        while let Some(item) = sources.next().await {
            let item = item.map_err(|error| AwsError::new("Query", error))?;
            let SourceOnly { source } = serde_dynamo::from_item(item)?;
            *counts.records.entry(label(status, source)).or_default() += 1;
        }
        Ok(())
    }
}
