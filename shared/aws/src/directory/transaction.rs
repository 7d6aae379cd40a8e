//! Writes of several items at once: all or none.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError as Refusal,
    types::{AttributeValue, CancellationReason, ConditionCheck, Put, TransactWriteItem},
};
use aws_smithy_async::rt::sleep::AsyncSleep;
use uuid::Uuid;

use super::{Directory, DirectoryError, Item, text};
use crate::error::AwsError;

/// The first pause after meeting another write; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// How a transaction ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All is written.
    Done,
    /// Nothing is written: the conditions of these items do not hold.
    Refused(Vec<bool>),
    /// Other writes of the same items were under way.
    Met,
}

impl Directory {
    /// Writes all items or none. The token (a UUID) makes a repetition after a lost answer one and the same
    /// transaction, for ten minutes.
    pub(super) async fn write_all(
        &self,
        items: &[TransactWriteItem],
        token: Uuid,
    ) -> Result<Outcome, DirectoryError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items.to_vec()))
            .client_request_token(token)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Outcome::Done);
        };
        match error.as_service_error() {
            Some(Refusal::TransactionCanceledException(cancelled)) => {
                match read(cancelled.cancellation_reasons()) {
                    Some(outcome) => Ok(outcome),
                    None => Err(AwsError::new("TransactWriteItems", error).into()),
                }
            }
            // The same transaction, sent before, is still under way.
            Some(Refusal::TransactionInProgressException(_)) => Ok(Outcome::Met),
            _ => Err(AwsError::new("TransactWriteItems", error).into()),
        }
    }

    /// Waits before another try, longer each time; two that met seldom meet again.
    pub(super) async fn pause(&self, tries: u32) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let [.., random] = Uuid::now_v7().into_bytes();
        let share = 0.5 + f64::from(random) / 512.0;
        self.sleep
            .sleep(doubled.min(LONGEST_PAUSE).mul_f64(share))
            .await;
    }
}

/// Reads why a transaction was cancelled; nothing when no repetition would help. Only when nothing else was in the way
/// is it certain which conditions hold.
fn read(reasons: &[CancellationReason]) -> Option<Outcome> {
    const FAILED: &str = "ConditionalCheckFailed";
    let codes: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.code().unwrap_or_default())
        .collect();
    let passes = |code: &&str| {
        matches!(
            *code,
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
        )
    };
    if codes.iter().any(passes) {
        Some(Outcome::Met)
    } else if codes.contains(&FAILED) {
        let failed = codes.iter().map(|code| *code == FAILED).collect();
        Some(Outcome::Refused(failed))
    } else {
        None
    }
}

/// Values that an expression names.
pub(super) type Values<const N: usize> = [(&'static str, AttributeValue); N];

/// Writes an item under a condition on these values.
pub(super) fn put<const N: usize>(
    table: &str,
    item: Item,
    condition: &str,
    values: Values<N>,
) -> Result<TransactWriteItem, DirectoryError> {
    let mut put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(condition);
    for (name, value) in values {
        put = put.expression_attribute_values(name, value);
    }
    let put = put.build().map_err(incomplete)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Asks that a condition on these values hold for the user of this name.
pub(super) fn check<const N: usize>(
    table: &str,
    username: &str,
    condition: &str,
    values: Values<N>,
) -> Result<TransactWriteItem, DirectoryError> {
    let mut check = ConditionCheck::builder()
        .table_name(table)
        .key("username", text(username))
        .condition_expression(condition);
    for (name, value) in values {
        check = check.expression_attribute_values(name, value);
    }
    let check = check.build().map_err(incomplete)?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

fn incomplete(_: BuildError) -> DirectoryError {
    AwsError::incomplete("TransactWriteItems", "a required field").into()
}
