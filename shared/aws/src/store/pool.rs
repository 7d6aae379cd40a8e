//! The pool's records: idle machines, projects that wait for one, what the pool should be, and what it is.

use aws_sdk_dynamodb::types::AttributeValue;
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    pool::{
        PoolReport, ProjectId,
        capacity::{Bounds, WAITS_FOR},
    },
    status::{Source, Status},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Page, Store, StoreError,
    create::NEW,
    listing::Filter,
    machines::{Item, item},
    number, text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// Partitions of the index of idle machines: each can be read and written about a thousand times a second.
pub const IDLE_SHARDS: u32 = 4;

/// Records written in one transaction; DynamoDB takes a hundred, and 4 MB.
const TOGETHER: usize = 25;
/// How long the row of a project that was refused is kept.
const REFUSAL_KEPT: SignedDuration = SignedDuration::from_hours(1);
const BOUNDS: &str = "pool#bounds";
const REPORT: &str = "pool#report";
/// The one key of the index of waiting projects.
const WAITING: &str = "waiting";

impl Store {
    /// Some idle machines of a shard, from a random place on: whoever asks at the same time gets others. An index
    /// read: some may be taken already.
    pub async fn idle(&self, shard: u32, limit: i32) -> Result<Vec<Machine>, StoreError> {
        // The end of a UUIDv7 is random.
        let random = Uuid::now_v7().simple().to_string();
        let lot = random.get(random.len() - LOT..);
        let found = self.idle_from(shard, lot, limit).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        self.idle_from(shard, None, limit).await
    }

    async fn idle_from(
        &self,
        shard: u32,
        lot: Option<&str>,
        limit: i32,
    ) -> Result<Vec<Machine>, StoreError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.machines)
            .index_name("idle")
            .expression_attribute_values(":shard", text(shard_key(shard)))
            .limit(limit);
        query = match lot {
            Some(lot) => query
                .key_condition_expression("idle = :shard AND lot >= :lot")
                .expression_attribute_values(":lot", text(lot)),
            None => query.key_condition_expression("idle = :shard"),
        };
        let answer = query
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let items = answer.items.unwrap_or_default().into_iter();
        Ok(items
            .map(serde_dynamo::from_item)
            .collect::<Result<_, _>>()?)
    }

    /// One page of the pool's records in a status, oldest first.
    pub async fn pool_page(
        &self,
        status: Status,
        after: Option<&MachineId>,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let filter = Filter {
            status: Some(status),
            source: Some(Source::Pool),
        };
        self.page_forward(filter, after, now).await
    }

    /// Writes the records of machines that were found. Those that are there already stay as they are. Answers how
    /// many are new.
    pub async fn discover(&self, found: &[Machine]) -> Result<u32, StoreError> {
        let mut new = 0;
        for together in found.chunks(TOGETHER) {
            let puts = together
                .iter()
                .map(|machine| Ok(put(&self.machines, item(machine)?, NEW, [])?))
                .collect::<Result<Vec<_>, StoreError>>()?;
            let token = Uuid::now_v7().to_string();
            match self.write_all(&puts, &token).await? {
                Outcome::Done => new += u32::try_from(together.len()).unwrap_or(u32::MAX),
                Outcome::Refused(..) | Outcome::Met(_) => {
                    for machine in together {
                        new += u32::from(self.discover_one(machine).await?);
                    }
                }
            }
        }
        Ok(new)
    }

    async fn discover_one(&self, machine: &Machine) -> Result<bool, StoreError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.machines)
            .set_item(Some(item(machine)?))
            .condition_expression(NEW)
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error));
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.is("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a project was refused and may be waiting. One that has a machine by now is left alone.
    pub async fn wait_for_machine(&self, id: &ProjectId, now: Timestamp) -> Result<(), StoreError> {
        let purge_at = now.saturating_add(REFUSAL_KEPT).unwrap_or(Timestamp::MAX);
        let answer = self
            .client
            .update_item()
            .table_name(&self.projects)
            .key("project_id", text(id.as_str()))
            .update_expression("SET waiting = :waiting, waiting_at = :now, purge_at = :purge_at")
            .condition_expression("attribute_not_exists(machine_id)")
            .expression_attribute_values(":waiting", text(WAITING))
            .expression_attribute_values(":now", number(now.as_second()))
            .expression_attribute_values(":purge_at", number(purge_at.as_second()))
            .send()
            .await
            .map_err(|error| AwsError::new("UpdateItem", error));
        match answer {
            Err(error) if !error.is("ConditionalCheckFailedException") => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The projects that were refused within [`WAITS_FOR`] and have no machine since.
    pub async fn waiting(&self, now: Timestamp) -> Result<Vec<ProjectId>, StoreError> {
        let since = now.saturating_sub(WAITS_FOR).unwrap_or(Timestamp::MIN);
        let mut projects = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.projects)
                .index_name("waiting")
                .key_condition_expression("waiting = :waiting AND waiting_at > :since")
                .expression_attribute_values(":waiting", text(WAITING))
                .expression_attribute_values(":since", number(since.as_second()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| AwsError::new("Query", error))?;
            let items = answer.items.unwrap_or_default();
            projects.extend(
                items
                    .iter()
                    .filter_map(|item| match item.get("project_id") {
                        Some(AttributeValue::S(id)) => id.parse().ok(),
                        _ => None,
                    }),
            );
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(projects);
            }
        }
    }

    /// How many machines callers want there to be; nothing as long as nobody said so.
    pub async fn pool_bounds(&self) -> Result<Option<Bounds>, StoreError> {
        let item = self.control_item(BOUNDS).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Keeps how many machines there should be.
    pub async fn put_pool_bounds(&self, bounds: &Bounds) -> Result<(), StoreError> {
        self.put_control(BOUNDS, serde_dynamo::to_item(bounds)?, None)
            .await
    }

    /// What the last refresh found.
    pub async fn pool_report(&self) -> Result<Option<PoolReport>, StoreError> {
        let item = self.control_item(REPORT).await?;
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Keeps what a refresh found.
    pub async fn put_pool_report(&self, report: &PoolReport) -> Result<(), StoreError> {
        self.put_control(REPORT, serde_dynamo::to_item(report)?, None)
            .await
    }
}

/// Characters of a machine's lot: where it is among the idle ones.
const LOT: usize = 8;

/// What puts an idle machine into the index: its shard, and its place in there. Both come from the random part of its
/// id, so that machines are spread evenly.
pub(super) fn idle_keys(machine: &Machine) -> Option<[(String, AttributeValue); 2]> {
    if machine.status != Status::Idle {
        return None;
    }
    let id = machine.id.as_str();
    let (rest, lot) = id.split_at(id.len().checked_sub(LOT)?);
    let last = rest.chars().last().and_then(|it| it.to_digit(16));
    let shard = last.unwrap_or_default() % IDLE_SHARDS;
    Some([
        ("idle".to_owned(), text(shard_key(shard))),
        ("lot".to_owned(), text(lot)),
    ])
}

fn shard_key(shard: u32) -> String {
    format!("idle#{shard}")
}
