//! Writes of several items at once: all or none.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, TransactWriteItem},
};
use uuid::Uuid;

use super::{Item, Registry, RegistryError};
use crate::error::AwsError;

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// All is written.
    Yes,
    /// Nothing is written: the conditions of these items do not hold.
    Refused(Vec<bool>),
    /// Nothing is written: others write the same items.
    Met,
}

impl Registry {
    /// Writes all items or none. The SDK's repetitions of it are one and the same transaction.
    pub(super) async fn write_all(
        &self,
        items: &[TransactWriteItem],
    ) -> Result<Written, RegistryError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items.to_vec()))
            .client_request_token(Uuid::now_v7().to_string())
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Written::Yes);
        };
        let codes: Vec<String> = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                .cancellation_reasons()
                .iter()
                .map(|reason| reason.code().unwrap_or_default().to_owned())
                .collect(),
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                return Ok(Written::Met);
            }
            _ => return Err(AwsError::new("TransactWriteItems", error).into()),
        };
        let failed = |code: &String| code == "ConditionalCheckFailed";
        // Only when nothing else was in the way is it certain which conditions hold.
        let is_certain = codes
            .iter()
            .all(|code| failed(code) || code.is_empty() || code == "None");
        if is_certain && codes.iter().any(failed) {
            return Ok(Written::Refused(codes.iter().map(failed).collect()));
        }
        Ok(Written::Met)
    }
}

/// The part of a transaction that writes an item under a condition.
pub(super) fn put(
    table: &str,
    item: Item,
    condition: &str,
    value: Option<(&str, AttributeValue)>,
) -> Result<TransactWriteItem, RegistryError> {
    let mut put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(condition);
    if let Some((name, value)) = value {
        put = put.expression_attribute_values(name, value);
    }
    let put = put
        .build()
        .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
