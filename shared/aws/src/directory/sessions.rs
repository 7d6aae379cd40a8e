//! Sessions. A token without one is worth nothing.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use haulout_domain::identity::{Session, User, Username};
use jiff::Timestamp;

use super::{Directory, DirectoryError, Item, number, text, users::read};
use crate::error::AwsError;

impl Directory {
    /// Begins a session.
    pub async fn start_session(&self, session: &Session) -> Result<(), DirectoryError> {
        let mut item: Item = serde_dynamo::to_item(session)?;
        item.insert("id".to_owned(), text(&session.jti));
        let ends = session.expires_at.as_second();
        item.insert("purge_at".to_owned(), number(ends));
        self.client
            .put_item()
            .table_name(&self.tokens)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| AwsError::new("PutItem", error))?;
        Ok(())
    }

    /// Ends a session, if it goes on.
    pub async fn end_session(&self, jti: &str) -> Result<(), DirectoryError> {
        self.delete_token(jti).await
    }

    /// The session of this token with its user as it is now. Nothing when it has ended, be it by a change of the password,
    /// or when its user is gone.
    pub async fn session(
        &self,
        jti: &str,
        username: &Username,
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, DirectoryError> {
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.tokens, consistent("id", jti)?)
            .request_items(&self.users, consistent("username", username.as_str())?)
            .send()
            .await
            .map_err(|error| AwsError::new("BatchGetItem", error))?;
        // Two small items: they are left out only when a table is short of capacity.
        if answer.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(AwsError::incomplete("BatchGetItem", "an item it was asked for").into());
        }
        let mut found = answer.responses.unwrap_or_default();
        let (session, user) = (one(&mut found, &self.tokens), one(&mut found, &self.users));
        let (Some(session), Some(user)) = (session, user) else {
            return Ok(None);
        };
        let session: Session = serde_dynamo::from_item(session)?;
        let Some(user) = read(user)? else {
            return Ok(None);
        };
        Ok(session.is_of(&user, now).then_some((session, user)))
    }

    /// Any item of the tokens' table, as it is now.
    pub(super) async fn tokens_item(&self, id: &str) -> Result<Option<Item>, DirectoryError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tokens)
            .key("id", text(id))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item)
    }

    /// Deletes an item of the tokens' table, if it is there.
    pub(super) async fn delete_token(&self, id: &str) -> Result<(), DirectoryError> {
        self.client
            .delete_item()
            .table_name(&self.tokens)
            .key("id", text(id))
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteItem", error))?;
        Ok(())
    }
}

fn consistent(key: &str, value: &str) -> Result<KeysAndAttributes, DirectoryError> {
    KeysAndAttributes::builder()
        .keys(Item::from([(key.to_owned(), text(value))]))
        .consistent_read(true)
        .build()
        .map_err(|_| AwsError::incomplete("BatchGetItem", "a required field").into())
}

fn one(found: &mut HashMap<String, Vec<Item>>, table: &str) -> Option<Item> {
    found.get_mut(table).and_then(Vec::pop)
}
