//! Answers of AWS, kept in this process and in the `control` table. A cache that cannot be read or written is
//! no error: AWS is asked instead.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{clock::Clock, error::AwsError, store::Store};

/// The most answers kept in a process: callers name images and subnets as they like.
const MOST: usize = 1_000;

/// How long a kind of answer is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// So long, AWS is not asked again.
    pub(super) fresh: SignedDuration,
    /// So long, it is better than no answer.
    pub(super) usable: SignedDuration,
    /// It is kept in the `control` table, too.
    pub(super) is_shared: bool,
}

/// An answer, as JSON, and when AWS gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    json: String,
    at: Timestamp,
}

impl Kept {
    fn is_within(&self, duration: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.at) < duration
    }

    /// Nothing for what an earlier version of this code kept in another form.
    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.json).ok()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Cache {
    store: Store,
    clock: Clock,
    memory: Arc<Mutex<HashMap<String, Kept>>>,
}

impl Cache {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            memory: Arc::default(),
        }
    }

    /// What is kept under the key while it is fresh, or else the answer to the question. Where AWS gives none
    /// (a transient error), what is kept is used for longer.
    pub(super) async fn get<T>(
        &self,
        key: &str,
        life: Life,
        question: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError>
    where
        T: Serialize + DeserializeOwned,
    {
        let now = self.clock.now();
        let kept = self.find(key, life, now).await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_within(life.fresh, now))
            && let Some(value) = kept.read()
        {
            return Ok(value);
        }
        match question.await {
            Ok(value) => {
                self.keep(key, life, &value, now).await;
                Ok(value)
            }
            Err(error) => {
                let old = kept
                    .filter(|kept| error.is_transient() && kept.is_within(life.usable, now))
                    .and_then(|kept| Some((kept.read()?, kept.at)));
                let Some((value, at)) = old else {
                    return Err(error);
                };
                tracing::warn!(key, %at, %error, "AWS does not answer; using what it said earlier");
                Ok(value)
            }
        }
    }

    /// What is kept: from memory if that is fresh, otherwise the table's, which others keep up to date.
    async fn find(&self, key: &str, life: Life, now: Timestamp) -> Option<Kept> {
        let here = self.memory().get(key).cloned();
        let is_fresh = here
            .as_ref()
            .is_some_and(|kept| kept.is_within(life.fresh, now));
        if is_fresh || !life.is_shared {
            return here;
        }
        let shared: Option<Kept> = match self.store.cached(key, now).await {
            Ok(shared) => shared,
            Err(error) => {
                tracing::warn!(key, %error, "the cache cannot be read");
                None
            }
        };
        match shared {
            Some(shared) if here.as_ref().is_none_or(|here| here.at < shared.at) => {
                self.remember(key, life, shared.clone(), now);
                Some(shared)
            }
            _ => here,
        }
    }

    async fn keep<T: Serialize>(&self, key: &str, life: Life, value: &T, now: Timestamp) {
        let Ok(json) = serde_json::to_string(value) else {
            return;
        };
        let kept = Kept { json, at: now };
        self.remember(key, life, kept.clone(), now);
        if life.is_shared
            && let Ok(until) = now.checked_add(life.usable)
            && let Err(error) = self.store.cache(key, &kept, until).await
        {
            tracing::warn!(key, %error, "the cache cannot be written");
        }
    }

    fn remember(&self, key: &str, life: Life, kept: Kept, now: Timestamp) {
        let mut memory = self.memory();
        if memory.len() >= MOST {
            memory.retain(|_, kept| kept.is_within(life.fresh, now));
        }
        if memory.len() < MOST || memory.contains_key(key) {
            memory.insert(key.to_owned(), kept);
        }
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
