//! Lists of records, in pages, through indexes. Nothing scans the table.

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    status::{Source, Status},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{Store, StoreError, machines::Item, number, text};
use crate::error::AwsError;

/// The one key of the index over all records. Ids sort by time, so it lists them in order of creation.
pub(super) const ALL: &str = "machines";

/// Records that a sweep reads at once.
const SWEEP_PAGE: usize = 400;

/// How many index pages one request reads at most while a filter leaves it short of results.
const MAX_READS: u32 = 10;

/// Which records to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Only these.
    pub status: Option<Status>,
    /// Only these.
    pub source: Option<Source>,
}

/// Some records of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records.
    pub machines: Vec<Machine>,
    /// Where the next page starts: after this record. Nothing at the end of the list.
    pub next: Option<MachineId>,
}

impl Store {
    /// Records that match, newest first, after the one named. What has outlived its use is left out:
    /// DynamoDB deletes late.
    pub async fn list(
        &self,
        filter: Filter,
        after: Option<&MachineId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let mut machines: Vec<Machine> = Vec::new();
        let mut start = after.map(|id| start_key(filter.status, id));
        for _ in 0..MAX_READS {
            // One more than asked for tells whether there is a next page.
            let wanted = limit + 1 - machines.len();
            let (items, last) = self.read(filter, start.take(), wanted, false, now).await?;
            for item in items {
                machines.push(serde_dynamo::from_item(item)?);
            }
            if machines.len() > limit {
                machines.truncate(limit);
                break;
            }
            match last {
                None => {
                    return Ok(Page {
                        machines,
                        next: None,
                    });
                }
                Some(key) => start = Some(key),
            }
        }
        let next = match (machines.last(), start) {
            (_, Some(key)) => id_of(&key),
            (Some(last), None) => Some(last.id.clone()),
            (None, None) => None,
        };
        Ok(Page { machines, next })
    }

    /// One page of all records, oldest first: for the sweep, which takes them all. One query for a few hundred
    /// machines costs less than one for each status.
    pub async fn sweep_page(
        &self,
        after: Option<&MachineId>,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.page_forward(Filter::default(), after, now).await
    }

    /// One page of the records that match, oldest first.
    pub(super) async fn page_forward(
        &self,
        filter: Filter,
        after: Option<&MachineId>,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let start = after.map(|id| start_key(filter.status, id));
        let (items, last) = self.read(filter, start, SWEEP_PAGE, true, now).await?;
        let machines = items
            .into_iter()
            .map(serde_dynamo::from_item)
            .collect::<Result<_, _>>()?;
        Ok(Page {
            machines,
            next: last.as_ref().and_then(id_of),
        })
    }

    /// One read of the index that fits the filter.
    async fn read(
        &self,
        filter: Filter,
        start: Option<Item>,
        limit: usize,
        forward: bool,
        now: Timestamp,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let (index, key, value) = match filter.status {
            Some(status) => ("by_status", "status", status.as_str()),
            None => ("listing", "listing", ALL),
        };
        let mut conditions = vec!["(attribute_not_exists(purge_at) OR purge_at > :now)"];
        let mut query = self
            .client
            .query()
            .table_name(&self.machines)
            .index_name(index)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":key", text(value))
            .expression_attribute_values(":now", number(now.as_second()))
            .set_exclusive_start_key(start)
            .scan_index_forward(forward)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        if let Some(source) = filter.source {
            conditions.push("#source = :source");
            query = query
                .expression_attribute_names("#source", "source")
                .expression_attribute_values(":source", text(source.as_str()));
        }
        let answer = query
            .filter_expression(conditions.join(" AND "))
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let last = answer.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((answer.items.unwrap_or_default(), last))
    }
}

/// The key of a record in the index a filter uses.
fn start_key(status: Option<Status>, id: &MachineId) -> Item {
    let (key, value) = match status {
        Some(status) => ("status", status.as_str()),
        None => ("listing", ALL),
    };
    Item::from([
        ("id".to_owned(), text(id.as_str())),
        (key.to_owned(), text(value)),
    ])
}

fn id_of(key: &Item) -> Option<MachineId> {
    match key.get("id") {
        Some(AttributeValue::S(id)) => id.parse().ok(),
        _ => None,
    }
}
