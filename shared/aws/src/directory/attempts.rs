//! What is counted of passwords that are tried, by user and place. A try is counted before the password is looked at:
//! those made at once each get a number of their own.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use haulout_domain::identity::{
    Username,
    throttle::{Attempts, REMEMBERED, lock_until},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Directory, DirectoryError, Item, TRIES, number, text};
use crate::error::AwsError;

/// No lock holds, and the tries before count still; or there were none.
const OPEN: &str = "attribute_not_exists(id) OR (last_at > :forgotten AND (attribute_not_exists(locked_until) OR locked_until <= :now))";
/// No lock holds for those that are counted.
const UNLOCKED: &str =
    "attribute_exists(id) AND (attribute_not_exists(locked_until) OR locked_until <= :now)";

/// Whether a password may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It may.
    Counted {
        /// If it is wrong, none is looked at until then.
        locked_until: Option<Timestamp>,
    },
    /// Not until then.
    Locked {
        /// Then.
        until: Timestamp,
    },
}

/// What is counted, as it is stored in `tokens`. Times are in milliseconds since the epoch, for conditions on them.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    wrong: u32,
    last_at: i64,
    #[serde(default)]
    locked_until: Option<i64>,
}

impl Stored {
    fn attempts(&self) -> Attempts {
        let time = |millis| Timestamp::from_millisecond(millis).unwrap_or_default();
        Attempts {
            wrong: self.wrong,
            last_at: time(self.last_at),
            locked_until: self.locked_until.map(time),
        }
    }
}

/// How a conditional write of a count went.
enum Written {
    Yes(Attempts),
    /// It is not written; this is in the way.
    No(Option<Attempts>),
}

impl Directory {
    /// Counts a try at a user's password from a place.
    pub async fn begin_attempt(
        &self,
        username: &Username,
        place: &str,
        now: Timestamp,
    ) -> Result<Attempt, DirectoryError> {
        let id = id(username, place);
        for _ in 0..TRIES {
            let counted = match self.count(&id, now).await? {
                Written::Yes(counted) => counted,
                Written::No(Some(before)) => {
                    if let Some(until) = before.lock(now) {
                        return Ok(Attempt::Locked { until });
                    }
                    // The tries before are forgotten.
                    if before.is_forgotten(now) {
                        self.forget(&id, before).await?;
                    }
                    continue;
                }
                Written::No(None) => continue,
            };
            let Some(until) = lock_until(counted.wrong, now) else {
                return Ok(Attempt::Counted { locked_until: None });
            };
            // Locked before the password is looked at: of those made at once, one has its try.
            match self.lock(&id, until, now).await? {
                Written::Yes(_) => {
                    let locked_until = Some(until);
                    return Ok(Attempt::Counted { locked_until });
                }
                Written::No(Some(before)) => {
                    let until = before.locked_until.unwrap_or(until);
                    return Ok(Attempt::Locked { until });
                }
                // A right one has cleared the count.
                Written::No(None) => {}
            }
        }
        Err(DirectoryError::Conflict(username.clone()))
    }

    /// Forgets the tries at a user's password from a place: one was right.
    pub async fn forget_attempts(
        &self,
        username: &Username,
        place: &str,
    ) -> Result<(), DirectoryError> {
        self.delete_token(&id(username, place)).await
    }

    async fn count(&self, id: &str, now: Timestamp) -> Result<Written, DirectoryError> {
        let values = [
            (":one", number(1)),
            (":now", number(now.as_millisecond())),
            (":forgotten", number((now - REMEMBERED).as_millisecond())),
            (":purge", number((now + REMEMBERED).as_second())),
        ];
        let change = "ADD wrong :one SET last_at = :now, purge_at = :purge";
        self.change_count(id, change, OPEN, values).await
    }

    async fn lock(
        &self,
        id: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Written, DirectoryError> {
        let values = [
            (":until", number(until.as_millisecond())),
            (":now", number(now.as_millisecond())),
        ];
        let change = "SET locked_until = :until";
        match self.change_count(id, change, UNLOCKED, values).await? {
            // It was written before, and its answer was lost.
            Written::No(Some(before)) if before.locked_until == Some(until) => {
                Ok(Written::Yes(before))
            }
            written => Ok(written),
        }
    }

    async fn change_count<const N: usize>(
        &self,
        id: &str,
        change: &str,
        condition: &str,
        values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
    ) -> Result<Written, DirectoryError> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tokens)
            .key("id", text(id))
            .update_expression(change)
            .condition_expression(condition)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(AllOld);
        for (name, value) in values {
            update = update.expression_attribute_values(name, value);
        }
        match update.send().await {
            Ok(answer) => match attempts(answer.attributes)? {
                Some(attempts) => Ok(Written::Yes(attempts)),
                None => Err(AwsError::incomplete("UpdateItem", "Attributes").into()),
            },
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::No(attempts(failed.item.clone())?))
                }
                _ => Err(AwsError::new("UpdateItem", error).into()),
            },
        }
    }

    /// Deletes a count, if it is still the one that was read.
    async fn forget(&self, id: &str, read: Attempts) -> Result<(), DirectoryError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.tokens)
            .key("id", text(id))
            .condition_expression("last_at = :last_at")
            .expression_attribute_values(":last_at", number(read.last_at.as_millisecond()))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("DeleteItem", error)) {
            Err(error) if !error.is("ConditionalCheckFailedException") => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn id(username: &Username, place: &str) -> String {
    format!("attempts#{username}#{place}")
}

fn attempts(item: Option<Item>) -> Result<Option<Attempts>, DirectoryError> {
    let stored: Option<Stored> = item.map(serde_dynamo::from_item).transpose()?;
    Ok(stored.map(|stored| stored.attempts()))
}
