//! Answers of AWS that hold for a while, kept for all functions.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{Store, StoreError, control::holds, machines::Item};

const VALUE: &str = "value";

impl Store {
    /// What is kept under a key and still holds. What another version of this code kept in a form that cannot be
    /// read counts as nothing.
    pub async fn cached<T: DeserializeOwned>(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<T>, StoreError> {
        let item = self.control_item(&pk(key)).await?;
        let value = item
            .filter(|item| holds(item, now))
            .and_then(|mut item| item.remove(VALUE));
        Ok(value.and_then(|value| serde_dynamo::from_attribute_value(value).ok()))
    }

    /// Keeps a value under a key until then.
    pub async fn cache<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let value = serde_dynamo::to_attribute_value(value)?;
        let item = Item::from([(VALUE.to_owned(), value)]);
        self.put_control(&pk(key), item, Some(until)).await
    }
}

fn pk(key: &str) -> String {
    format!("cache#{key}")
}
