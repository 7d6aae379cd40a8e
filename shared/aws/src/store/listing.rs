//! Lists of records, in pages, through indexes. Nothing scans the table.

use aws_sdk_dynamodb::{
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Select},
};
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

/// The index over records by whoever asked for them.
const BY_OWNER: &str = "by_owner";
const STATUS: &str = "status";

/// Records that a sweep reads at once.
const SWEEP_PAGE: i32 = 400;

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

/// Whose records to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Whose<'a> {
    /// All.
    Everybodys,
    /// Those that somebody asked for. Nobody else's are read; machines of the pool, which nobody asked for, are not
    /// among them.
    Own(&'a str),
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
        self.list_whose(Whose::Everybodys, filter, after, limit, now)
            .await
    }

    /// As [`Self::list`], of everybody's records or somebody's own.
    pub async fn list_whose(
        &self,
        whose: Whose<'_>,
        filter: Filter,
        after: Option<&MachineId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let index = Index::of(whose, filter);
        let mut machines: Vec<Machine> = Vec::new();
        let mut start = after.map(|id| index.start_key(id));
        for _ in 0..MAX_READS {
            // One more than asked for tells whether there is a next page.
            let wanted = limit + 1 - machines.len();
            let query = self.query(index, filter, now);
            let query = query
                .set_exclusive_start_key(start.take())
                .scan_index_forward(false)
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX));
            let (items, last) = read(query).await?;
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
        let index = Index::of(Whose::Everybodys, filter);
        let query = self
            .query(index, filter, now)
            .set_exclusive_start_key(after.map(|id| index.start_key(id)))
            .limit(SWEEP_PAGE);
        let (items, last) = read(query).await?;
        let machines = items
            .into_iter()
            .map(serde_dynamo::from_item)
            .collect::<Result<_, _>>()?;
        Ok(Page {
            machines,
            next: last.as_ref().and_then(id_of),
        })
    }

    /// How many records somebody asked for that match; at least so many where there are thousands.
    pub async fn count_own(
        &self,
        owner: &str,
        filter: Filter,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let index = Index::of(Whose::Own(owner), filter);
        let (mut count, mut start) = (0, None);
        for _ in 0..MAX_READS {
            let answer = self
                .query(index, filter, now)
                .select(Select::Count)
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| AwsError::new("Query", error))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                break;
            }
        }
        Ok(count)
    }

    /// A query for the records of an index that match.
    fn query(&self, index: Index<'_>, filter: Filter, now: Timestamp) -> QueryFluentBuilder {
        let mut conditions = vec!["(attribute_not_exists(purge_at) OR purge_at > :now)"];
        let mut query = self
            .client
            .query()
            .table_name(&self.machines)
            .index_name(index.name)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", index.key)
            .expression_attribute_values(":key", text(index.value))
            .expression_attribute_values(":now", number(now.as_second()));
        if index.name == BY_OWNER {
            conditions.push("#source <> :pool");
            query = query
                .expression_attribute_names("#source", "source")
                .expression_attribute_values(":pool", text(Source::Pool.as_str()));
        }
        if let Some(source) = filter.source {
            conditions.push("#source = :source");
            query = query
                .expression_attribute_names("#source", "source")
                .expression_attribute_values(":source", text(source.as_str()));
        }
        if let Some(status) = filter.status.filter(|_| index.key != STATUS) {
            conditions.push("#status = :status");
            query = query
                .expression_attribute_names("#status", STATUS)
                .expression_attribute_values(":status", text(status.as_str()));
        }
        query.filter_expression(conditions.join(" AND "))
    }
}

/// One read of an index: records, and where the next one starts.
async fn read(query: QueryFluentBuilder) -> Result<(Vec<Item>, Option<Item>), StoreError> {
    let answer = query
        .send()
        .await
        .map_err(|error| AwsError::new("Query", error))?;
    let last = answer.last_evaluated_key.filter(|key| !key.is_empty());
    Ok((answer.items.unwrap_or_default(), last))
}

/// The index that fits a list best, and its key. All are sorted by id.
#[derive(Clone, Copy)]
struct Index<'a> {
    name: &'static str,
    key: &'static str,
    value: &'a str,
}

impl<'a> Index<'a> {
    fn of(whose: Whose<'a>, filter: Filter) -> Self {
        let (name, key, value) = match (whose, filter.status) {
            (Whose::Own(owner), _) => (BY_OWNER, "owner", owner),
            (Whose::Everybodys, Some(status)) => ("by_status", STATUS, status.as_str()),
            (Whose::Everybodys, None) => ("listing", "listing", ALL),
        };
        Self { name, key, value }
    }

    /// The key of a record in it.
    fn start_key(self, id: &MachineId) -> Item {
        Item::from([
            ("id".to_owned(), text(id.as_str())),
            (self.key.to_owned(), text(self.value)),
        ])
    }
}

fn id_of(key: &Item) -> Option<MachineId> {
    match key.get("id") {
        Some(AttributeValue::S(id)) => id.parse().ok(),
        _ => None,
    }
}
