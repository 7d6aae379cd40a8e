//! Sightings of strays: what EC2 has with the deployment's tag and no record explains.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, control::holds};

/// For how long a sighting is remembered: many sweeps. What is sighted again later is sighted for the first time.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Since when, and how often, a stray has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When it was seen for the first time.
    pub first: Timestamp,
    /// How often, this time included; passes at the same moment may count as one.
    pub passes: u32,
}

impl Store {
    /// Notes that a stray (an instance's or a security group's id) was seen, and answers with all sightings of it.
    pub async fn sight(&self, resource: &str, now: Timestamp) -> Result<Sighting, StoreError> {
        let pk = key(resource);
        let before = self.control_item(&pk).await?;
        let before: Option<Sighting> = before
            .filter(|item| holds(item, now))
            .map(serde_dynamo::from_item)
            .transpose()?;
        let sighting = Sighting {
            first: before.map_or(now, |before| before.first),
            passes: before.map_or(1, |before| before.passes.saturating_add(1)),
        };
        let until = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        self.put_control(&pk, serde_dynamo::to_item(sighting)?, Some(until))
            .await?;
        Ok(sighting)
    }

    /// Forgets the sightings of what is gone or explained.
    pub async fn forget(&self, resource: &str) -> Result<(), StoreError> {
        self.delete_control(&key(resource)).await
    }
}

fn key(resource: &str) -> String {
    format!("orphan#{resource}")
}
