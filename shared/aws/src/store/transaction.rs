//! Writes of several items of the store at once: all or none.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::{Store, StoreError};
use crate::transaction;
pub(super) use crate::transaction::{Outcome, put};

impl Store {
    /// Writes all items or none. The token (a UUID) makes a repetition after a lost answer one and the same
    /// transaction, for ten minutes.
    pub(super) async fn write_all(
        &self,
        items: &[TransactWriteItem],
        token: &str,
    ) -> Result<Outcome, StoreError> {
        Ok(transaction::write_all(&self.client, items, token).await?)
    }

    /// Waits before another try, longer each time.
    pub(super) async fn pause(&self, tries: u32) {
        transaction::pause(&self.sleep, tries).await;
    }
}
