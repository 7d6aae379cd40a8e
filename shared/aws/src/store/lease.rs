//! Leases: who alone may do something for a while. Whoever finds one taken leaves a mark, so that the holder, whose
//! reading may be older than what the other one came for, goes round once more.

use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError, number, text};
use crate::error::AwsError;

/// How often taking is tried against a holder that gives back meanwhile.
const TRIES: u32 = 3;
const REFUSED: &str = "ConditionalCheckFailedException";

impl Store {
    /// Takes a lease, or takes it again: it is the holder's from now on for so long, unless it is given back before.
    /// False when somebody else holds it: a mark is left.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: SignedDuration,
    ) -> Result<bool, StoreError> {
        let until = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        for _ in 0..TRIES {
            let answer = self
                .client
                .put_item()
                .table_name(&self.control)
                .item("pk", text(key(name)))
                .item("holder", text(holder))
                .item("until", number(until.as_millisecond()))
                .condition_expression(
                    "attribute_not_exists(pk) OR #until <= :now OR holder = :holder",
                )
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":now", number(now.as_millisecond()))
                .expression_attribute_values(":holder", text(holder))
                .send()
                .await
                .map_err(|error| AwsError::new("PutItem", error));
            match answer {
                Ok(_) => return Ok(true),
                Err(error) if error.is(REFUSED) => {}
                Err(error) => return Err(error.into()),
            }
            if self.leave_mark(name).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Leaves a mark for the holder; false when there is none any more.
    async fn leave_mark(&self, name: &str) -> Result<bool, StoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.control)
            .key("pk", text(key(name)))
            .update_expression("SET marked = :yes")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":yes", text("yes"))
            .send()
            .await
            .map_err(|error| AwsError::new("UpdateItem", error));
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.is(REFUSED) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a lease back. True, and it is kept, when somebody left a mark: take it again and go round once more.
    pub async fn give_lease_back(&self, name: &str, holder: &str) -> Result<bool, StoreError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.control)
            .key("pk", text(key(name)))
            .condition_expression("holder = :holder AND attribute_not_exists(marked)")
            .expression_attribute_values(":holder", text(holder))
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteItem", error));
        match answer {
            Ok(_) => Ok(false),
            Err(error) if error.is(REFUSED) => self.holds_lease(name, holder).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the lease is (still) this holder's: a slow one may have been overtaken.
    async fn holds_lease(&self, name: &str, holder: &str) -> Result<bool, StoreError> {
        let item = self.control_item(&key(name)).await?;
        Ok(item.is_some_and(|item| item.get("holder") == Some(&text(holder))))
    }
}

fn key(name: &str) -> String {
    format!("lease#{name}")
}
