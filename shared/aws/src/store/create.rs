//! Writing a new machine's record, once per idempotency key.

use haulout_domain::{ids::MachineId, machine::Machine};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    machines::item,
    number,
    quota::Place,
    transaction::{Outcome, put},
};

/// How long an idempotency key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How often a transaction that met another one is tried; the pauses between are 3.8 s at most. Those of one owner meet at
/// the owner's counter.
const TRIES: u32 = 14;

/// There is no such record.
pub(super) const NEW: &str = "attribute_not_exists(id)";

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
    /// The owner has as many machines as allowed.
    QuotaFull {
        /// So many.
        limit: u32,
    },
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
    fn new(key: &Idempotency, machine: &Machine, now: Timestamp) -> Self {
        Self {
            pk: pk(&key.scope),
            fingerprint: key.fingerprint.clone(),
            machine: machine.id.clone(),
            answer: key.answer.clone(),
            expires_at: now.as_second() + REMEMBERED.as_secs(),
        }
    }

    /// What a key that is already there says of the request that wanted to write `wanted`.
    fn compare(self, wanted: &Self) -> Created {
        if self.machine == wanted.machine {
            Created::New
        } else {
            self.answers(&wanted.fingerprint)
        }
    }

    /// What it says of another request, with a body of this fingerprint.
    fn answers(self, fingerprint: &str) -> Created {
        if self.fingerprint == fingerprint {
            Created::Before {
                machine: self.machine,
                answer: self.answer,
            }
        } else {
            Created::OtherRequest
        }
    }
}

fn pk(scope: &str) -> String {
    format!("idempotency#{scope}")
}

impl Store {
    /// What was answered to a request with this idempotency key before, if one came. Whoever finds nothing may still be
    /// told by [`Self::create`] that one came meanwhile.
    pub async fn answered(
        &self,
        scope: &str,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Option<Created>, StoreError> {
        let key = self.stored_key(&pk(scope), now).await?;
        Ok(key.map(|key| key.answers(fingerprint)))
    }

    /// Writes the record of a new machine, which takes a place of its owner's, one of so many with a quota; the record
    /// says so (`counted`). A repeated request is answered as before, also when no place is left.
    pub async fn create(
        &self,
        machine: &Machine,
        idempotency: Option<&Idempotency>,
        quota: Option<u32>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut machine = machine.clone();
        machine.counted = true;
        let key = idempotency.map(|key| StoredKey::new(key, &machine, now));
        self.create_together(&machine, key.as_ref(), quota, now)
            .await
    }

    /// The record, the key and the place in the quota: all or none.
    async fn create_together(
        &self,
        machine: &Machine,
        key: Option<&StoredKey>,
        quota: Option<u32>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut items = vec![put(&self.machines, item(machine)?, NEW, [])?];
        if let Some(key) = key {
            let free = "attribute_not_exists(pk) OR expires_at <= :now";
            let values = [(":now", number(now.as_second()))];
            items.push(put(
                &self.control,
                serde_dynamo::to_item(key)?,
                free,
                values,
            )?);
        }
        items.push(self.change_places(&machine.owner, Place::within(quota))?);
        // The machine's UUID: a repetition after a lost answer is answered as the first one.
        let token = &machine.id.as_str()[2..];
        let mut tries = 1;
        loop {
            let error = match self.write_all(&items, token).await? {
                Outcome::Done => return Ok(Created::New),
                // Ids are unique: the record in the way is this one, its answer was lost.
                Outcome::Refused(conditions, _) if conditions.first() == Some(&true) => {
                    return Ok(Created::New);
                }
                Outcome::Refused(conditions, error) => {
                    if let Some(created) = self.used_before(key, now).await? {
                        return Ok(created);
                    }
                    match quota {
                        Some(limit) if conditions.last() == Some(&true) => {
                            return Ok(Created::QuotaFull { limit });
                        }
                        // The key in the way was deleted in between.
                        _ => error,
                    }
                }
                Outcome::Met(error) => error,
            };
            if tries == TRIES {
                return Err(error.into());
            }
            self.pause(tries).await;
            tries += 1;
        }
    }

    /// What a key that is there already says of the request.
    async fn used_before(
        &self,
        key: Option<&StoredKey>,
        now: Timestamp,
    ) -> Result<Option<Created>, StoreError> {
        let Some(key) = key else {
            return Ok(None);
        };
        let before = self.stored_key(&key.pk, now).await?;
        Ok(before.map(|before| before.compare(key)))
    }

    /// A key that is there and still remembered.
    async fn stored_key(&self, pk: &str, now: Timestamp) -> Result<Option<StoredKey>, StoreError> {
        let stored = self.control_item(pk).await?;
        let stored: Option<StoredKey> = stored.map(serde_dynamo::from_item).transpose()?;
        Ok(stored.filter(|key| key.expires_at > now.as_second()))
    }
}
