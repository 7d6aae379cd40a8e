//! Writing a new machine's record, once per idempotency key.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use haulout_domain::{ids::MachineId, machine::Machine};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    machines::{Item, item},
    number, text,
};
use crate::error::AwsError;

/// How long an idempotency key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How often a transaction that met another one is tried.
const TRIES: u32 = 4;

/// An idempotency key as a caller sent it with a request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Caller, route and key: unique among all requests.
    pub scope: String,
    /// Digest of the request's body: the same key with another body is a conflict.
    pub fingerprint: String,
    /// The answer to give again.
    pub answer: String,
}

/// How creating a record went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// The same request was made before.
    Before {
        /// The machine it made.
        machine: MachineId,
        /// The answer it was given.
        answer: String,
    },
    /// The key was used for another request.
    OtherRequest,
}

/// An idempotency key as it is stored in `control`.
#[derive(Debug, Serialize, Deserialize)]
struct StoredKey {
    pk: String,
    fingerprint: String,
    machine: MachineId,
    answer: String,
    expires_at: i64,
}

impl StoredKey {
    /// What a key that is already there says of the request that wanted to write `wanted`.
    fn compare(self, wanted: &Self) -> Created {
        if self.machine == wanted.machine {
            Created::New
        } else if self.fingerprint == wanted.fingerprint {
            Created::Before {
                machine: self.machine,
                answer: self.answer,
            }
        } else {
            Created::OtherRequest
        }
    }
}

impl Store {
    /// Writes the record of a new machine.
    pub async fn create(
        &self,
        machine: &Machine,
        idempotency: Option<&Idempotency>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        match idempotency {
            None => self.create_plain(machine).await,
            Some(key) => self.create_once(machine, key, now).await,
        }
    }

    async fn create_plain(&self, machine: &Machine) -> Result<Created, StoreError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.machines)
            .set_item(Some(item(machine)?))
            .condition_expression("attribute_not_exists(id)")
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("PutItem", error)) {
            Ok(_) => Ok(Created::New),
            // Ids are unique: the record in the way is this one, its answer was lost.
            Err(error) if error.is("ConditionalCheckFailedException") => Ok(Created::New),
            Err(error) => Err(error.into()),
        }
    }

    async fn create_once(
        &self,
        machine: &Machine,
        key: &Idempotency,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let stored = StoredKey {
            pk: format!("idempotency#{}", key.scope),
            fingerprint: key.fingerprint.clone(),
            machine: machine.id.clone(),
            answer: key.answer.clone(),
            expires_at: now.as_second() + REMEMBERED.as_secs(),
        };
        let mut tries = 1;
        loop {
            let error = match self.write_both(machine, &stored, now).await {
                Ok(()) => return Ok(Created::New),
                Err(StoreError::Aws(error)) if error.is("TransactionCanceledException") => error,
                Err(error) => return Err(error),
            };
            match self.stored_key(&stored.pk).await? {
                Some(before) if before.expires_at > now.as_second() => {
                    return Ok(before.compare(&stored));
                }
                // Another request with this key was in flight and has not been written (yet).
                _ if tries < TRIES => tries += 1,
                _ => return Err(error.into()),
            }
        }
    }

    async fn write_both(
        &self,
        machine: &Machine,
        key: &StoredKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let absent = "attribute_not_exists(id)";
        let free = "attribute_not_exists(pk) OR expires_at <= :now";
        self.client
            .transact_write_items()
            .transact_items(put(&self.machines, item(machine)?, absent, None)?)
            .transact_items(put(
                &self.control,
                serde_dynamo::to_item(key)?,
                free,
                Some(now),
            )?)
            // The machine's UUID: a repetition after a lost answer is answered as the first one.
            .client_request_token(&machine.id.as_str()[2..])
            .send()
            .await
            .map_err(|error| AwsError::new("TransactWriteItems", error))?;
        Ok(())
    }

    async fn stored_key(&self, pk: &str) -> Result<Option<StoredKey>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.control)
            .key("pk", text(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item.map(serde_dynamo::from_item).transpose()?)
    }
}

fn put(
    table: &str,
    item: Item,
    condition: &str,
    now: Option<Timestamp>,
) -> Result<TransactWriteItem, StoreError> {
    let mut put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(condition);
    if let Some(now) = now {
        put = put.expression_attribute_values(":now", number(now.as_second()));
    }
    let put = put
        .build()
        .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
