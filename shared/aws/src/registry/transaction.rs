//! Writes of several items of the registry at once: all or none.

use aws_sdk_dynamodb::types::TransactWriteItem;
use uuid::Uuid;

use super::{Registry, RegistryError};
use crate::transaction;
pub(super) use crate::transaction::{Outcome, put};

impl Registry {
    /// Writes all items or none. The SDK's repetitions of it are one and the same transaction.
    pub(super) async fn write_all(
        &self,
        items: &[TransactWriteItem],
    ) -> Result<Outcome, RegistryError> {
        let token = Uuid::now_v7().to_string();
        Ok(transaction::write_all(&self.client, items, &token).await?)
    }

    /// Waits before another try, longer each time.
    pub(super) async fn pause(&self, tries: u32) {
        transaction::pause(&self.sleep, tries).await;
    }
}
