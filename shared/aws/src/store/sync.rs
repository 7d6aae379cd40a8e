//! How far the passes over the registry went.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Store, StoreError, machines::Item, text};

const KEY: &str = "sync";
/// A position's text form.
const POSITION: &str = "position";

impl Store {
    /// Where the next pass goes on; nothing when the one before came to the end.
    pub async fn sync_position(&self) -> Result<Option<String>, StoreError> {
        let item = self.control_item(KEY).await?;
        Ok(match item.unwrap_or_default().remove(POSITION) {
            Some(AttributeValue::S(position)) => Some(position),
            _ => None,
        })
    }

    /// Writes down where the next pass goes on, over what was there.
    pub async fn keep_sync_position(&self, position: Option<&str>) -> Result<(), StoreError> {
        let position = position.map(|position| (POSITION.to_owned(), text(position)));
        self.put_control(KEY, Item::from_iter(position), None).await
    }
}
