//! Uploads' records, each begun once per idempotency key.

use haulout_domain::package::{Upload, UploadId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Item, Registry, RegistryError, number,
    rows::{OPEN, Row, item, readable},
    text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// How long an idempotency key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// How often a transaction that met another one is tried.
const TRIES: u32 = 8;

/// An idempotency key as a caller sent it with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    /// Digest of caller, route and key: unique among all requests.
    pub scope: String,
    /// Digest of the request's body: the same key with another body is a conflict.
    pub fingerprint: String,
    /// The answer to give again.
    pub answer: String,
}

/// How the beginning of an upload went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Began {
    /// It is new.
    New,
    /// The same request was made before; it was given this answer.
    Before(String),
    /// The key was used for another request.
    OtherRequest,
}

/// A place in the list of open uploads: after this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPosition {
    id: UploadId,
    expires_at: Timestamp,
}

impl OpenPosition {
    /// After this upload.
    pub fn of(upload: &Upload) -> Self {
        Self {
            id: upload.id.clone(),
            expires_at: upload.expires_at,
        }
    }
}

/// An idempotency key as it is stored among the uploads.
#[derive(Debug, Serialize, Deserialize)]
struct StoredKey {
    id: String,
    fingerprint: String,
    upload: UploadId,
    answer: String,
    purge_at: i64,
}

impl StoredKey {
    fn of(scope: &str) -> String {
        format!("idempotency#{scope}")
    }

    fn compare(self, fingerprint: &str) -> Began {
        if self.fingerprint == fingerprint {
            Began::Before(self.answer)
        } else {
            Began::OtherRequest
        }
    }
}

impl Registry {
    /// What a request with this key was answered before, if it was made before.
    pub async fn began_before(
        &self,
        key: &Repeatable,
        now: Timestamp,
    ) -> Result<Option<Began>, RegistryError> {
        let before = self.stored_key(&key.scope, now).await?;
        Ok(before.map(|before| before.compare(&key.fingerprint)))
    }

    async fn stored_key(
        &self,
        scope: &str,
        now: Timestamp,
    ) -> Result<Option<StoredKey>, RegistryError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.uploads)
            .key("id", text(StoredKey::of(scope)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        let stored: Option<StoredKey> = answer.item.map(serde_dynamo::from_item).transpose()?;
        Ok(stored.filter(|it| it.purge_at > now.as_second()))
    }

    /// Writes the record of a new upload, together with the idempotency key if there is one: both or none.
    pub async fn begin_upload(
        &self,
        upload: &Upload,
        key: Option<&Repeatable>,
        now: Timestamp,
    ) -> Result<Began, RegistryError> {
        let mut items = vec![put(
            &self.tables.uploads,
            item(upload)?,
            "attribute_not_exists(id)",
            [],
        )?];
        if let Some(key) = key {
            let stored = StoredKey {
                id: StoredKey::of(&key.scope),
                fingerprint: key.fingerprint.clone(),
                upload: upload.id.clone(),
                answer: key.answer.clone(),
                purge_at: now.as_second() + REMEMBERED.as_secs(),
            };
            items.push(put(
                &self.tables.uploads,
                serde_dynamo::to_item(stored)?,
                "attribute_not_exists(id) OR purge_at <= :now",
                [(":now", number(now.as_second()))],
            )?);
        }
        for tries in 1..=TRIES {
            match self.write_all(&items).await? {
                Outcome::Done => return Ok(Began::New),
                // Ids are unique: the record in the way is this one, its answer was lost.
                Outcome::Refused(conditions, _) if conditions.first() == Some(&true) => {
                    return Ok(Began::New);
                }
                Outcome::Refused(..) => {
                    let before = match key {
                        Some(key) => self.stored_key(&key.scope, now).await?,
                        None => None,
                    };
                    match (before, key) {
                        (Some(before), _) if before.upload == upload.id => return Ok(Began::New),
                        (Some(before), Some(key)) => return Ok(before.compare(&key.fingerprint)),
                        // The key in the way was deleted in between.
                        _ => self.pause(tries).await,
                    }
                }
                Outcome::Met(_) => self.pause(tries).await,
            }
        }
        Err(RegistryError::Conflict(upload.id.to_string()))
    }

    /// An upload's record as it is now.
    pub async fn upload(&self, id: &UploadId) -> Result<Option<Upload>, RegistryError> {
        self.row(id).await
    }

    /// Changes an upload's record, as long as nobody else does. `change` may be called several times. Answers the record
    /// as it now stands and what `change` said; nothing if there is no such upload.
    pub async fn update_upload<T>(
        &self,
        id: &UploadId,
        change: impl FnMut(&mut Upload) -> T,
    ) -> Result<Option<(Upload, T)>, RegistryError> {
        Box::pin(self.change(id, id.as_str(), change)).await
    }

    /// Some uploads that have not ended, those first whose time is over first, after the one named. An index read: some
    /// may have ended already.
    pub async fn open_uploads(
        &self,
        after: Option<&OpenPosition>,
        limit: i32,
    ) -> Result<Vec<Upload>, RegistryError> {
        let start = after.map(start_key).transpose()?;
        let answer = self
            .client
            .query()
            .table_name(&self.tables.uploads)
            .index_name("open")
            .key_condition_expression("#open = :open")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(OPEN))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let items = answer.items.unwrap_or_default();
        Ok(readable(items))
    }
}

/// Where a page of the index of open uploads begins.
fn start_key(after: &OpenPosition) -> Result<Item, RegistryError> {
    let mut key = Upload::key(&after.id);
    key.insert("open".to_owned(), text(OPEN));
    key.insert(
        "expires_at".to_owned(),
        serde_dynamo::to_attribute_value(after.expires_at)?,
    );
    Ok(key)
}
