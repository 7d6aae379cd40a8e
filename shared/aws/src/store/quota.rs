//! How many machines an owner has: a counter in `control` that is written together with the records, so that it
//! is exact at any time and under any number of requests. It counts whether there is a quota or not: one that is set later
//! is right at once.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use haulout_domain::{ids::MachineId, machine::Machine};
use jiff::Timestamp;

use super::{Store, StoreError, number, text};
use crate::error::AwsError;

/// What happens to an owner's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One place is taken, if there are fewer than so many.
    TakeBelow(u32),
    /// One place is taken.
    Take,
    /// One place is given back.
    GiveBack,
}

impl Place {
    /// One for a new machine.
    pub(super) fn within(quota: Option<u32>) -> Self {
        quota.map_or(Self::Take, Self::TakeBelow)
    }

    /// What a change of a record does to the counter.
    pub(super) fn of(before: &Machine, after: &Machine) -> Option<Self> {
        match (before.counted, after.counted) {
            (false, true) => Some(Self::Take),
            (true, false) => Some(Self::GiveBack),
            _ => None,
        }
    }
}

impl Store {
    /// The part of a transaction that changes the counter.
    pub(super) fn change_places(
        &self,
        owner: &str,
        place: Place,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.control)
            .key("pk", text(format!("quota#{owner}")))
            .update_expression("ADD in_use :step");
        let update = match place {
            Place::TakeBelow(limit) => {
                let fits = match limit {
                    0 => "in_use < :limit",
                    _ => "attribute_not_exists(in_use) OR in_use < :limit",
                };
                update
                    .condition_expression(fits)
                    .expression_attribute_values(":step", number(1))
                    .expression_attribute_values(":limit", number(limit))
            }
            Place::Take => update.expression_attribute_values(":step", number(1)),
            Place::GiveBack => update
                .condition_expression("in_use >= :least")
                .expression_attribute_values(":step", number(-1))
                .expression_attribute_values(":least", number(1)),
        };
        let update = update
            .build()
            .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Counts an open machine that is not counted, whatever its owner's limit: one that was made when machines without
    /// a quota were not. Whether it was that.
    pub async fn adopt(&self, id: &MachineId, now: Timestamp) -> Result<bool, StoreError> {
        let adopted = self
            .update(id, |machine| {
                let adopts = !machine.counted && machine.closed_at.is_none();
                if adopts {
                    machine.counted = true;
                    machine.updated_at = now;
                }
                adopts
            })
            .await?;
        Ok(adopted.is_some_and(|(_, adopts)| adopts))
    }
}
