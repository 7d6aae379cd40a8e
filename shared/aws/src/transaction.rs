//! DynamoDB: writes of several items at once, all or none.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError as Refusal,
    types::{AttributeValue, CancellationReason, Put, TransactWriteItem},
};
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use uuid::Uuid;

use crate::error::AwsError;

/// The first pause after meeting another write; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All is written.
    Done,
    /// Nothing is written: the conditions of these items do not hold.
    Refused(Vec<bool>, AwsError),
    /// Other writes of the same items were under way.
    Met(AwsError),
}

/// Writes all items or none. The token (a UUID) makes a repetition after a lost answer one and the same transaction, for
/// ten minutes.
pub(crate) async fn write_all(
    client: &Client,
    items: &[TransactWriteItem],
    token: &str,
) -> Result<Outcome, AwsError> {
    let answer = client
        .transact_write_items()
        .set_transact_items(Some(items.to_vec()))
        .client_request_token(token)
        .send()
        .await;
    let Err(error) = answer else {
        return Ok(Outcome::Done);
    };
    let reasons = match error.as_service_error() {
        Some(Refusal::TransactionCanceledException(cancelled)) => {
            Some(cancelled.cancellation_reasons().to_vec())
        }
        // The same transaction, sent before, is still under way.
        Some(Refusal::TransactionInProgressException(_)) => Some(Vec::new()),
        _ => None,
    };
    let error = AwsError::new("TransactWriteItems", error);
    match reasons {
        None => Err(error),
        Some(reasons) => Ok(read(&reasons, error)),
    }
}

/// Waits before another try, longer each time; two that met seldom meet again.
pub(crate) async fn pause(sleep: &SharedAsyncSleep, tries: u32) {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16));
    let [.., random] = Uuid::now_v7().into_bytes();
    let share = 0.5 + f64::from(random) / 512.0;
    sleep.sleep(doubled.min(LONGEST_PAUSE).mul_f64(share)).await;
}

/// Reads why a transaction was cancelled. Only when nothing else was in the way is it certain which conditions hold.
fn read(reasons: &[CancellationReason], error: AwsError) -> Outcome {
    const FAILED: &str = "ConditionalCheckFailed";
    let passes = |code: &str| {
        matches!(
            code,
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
        )
    };
    let codes: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.code().unwrap_or_default())
        .collect();
    if codes.contains(&FAILED) && !codes.iter().any(|code| passes(code)) {
        let failed = codes.iter().map(|code| *code == FAILED).collect();
        Outcome::Refused(failed, error)
    } else {
        Outcome::Met(error)
    }
}

/// The part of a transaction that writes an item under a condition on these values.
pub(crate) fn put(
    table: &str,
    item: HashMap<String, AttributeValue>,
    condition: &str,
    values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
) -> Result<TransactWriteItem, AwsError> {
    let mut put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(condition);
    for (name, value) in values {
        put = put.expression_attribute_values(name, value);
    }
    let put = put
        .build()
        .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
