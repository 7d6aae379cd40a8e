//! What callers send, and how its fields go together.

use std::ops::RangeInclusive;

use haulout_api::{Code, Problem};
use haulout_domain::{ids::MachineRef, pool::capacity::Bounds};
use serde::Deserialize;
use utoipa::ToSchema;

/// Bounds of `ttl_minutes`: up to a year.
const TTL_MINUTES: RangeInclusive<u32> = 1..=525_600;
/// The most machines that a pool may be told to have.
const MAX_MACHINES: u32 = 10_000;

/// What may be said with a claim. Every field may be left out, or null.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimMachine {
    /// After how many minutes the machine is released by itself, from this request on: claiming again with it renews
    /// the claim. Without it a new claim does not end, and an old one ends as it would have.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 525_600)]
    pub ttl_minutes: Option<u32>,
    /// When EC2 takes the machine back (spot), the project is given another one, which knows nothing of the first.
    /// False for a new claim that does not say; an old one stays as it is.
    #[serde(default)]
    pub move_on_interruption: Option<bool>,
}

/// How many machines the pool should have. What is left out, or null, stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePool {
    /// Idle machines to keep; at most `max`.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10_000)]
    pub buffer: Option<u32>,
    /// The least machines, used ones included; at most `max`.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10_000)]
    pub min: Option<u32>,
    /// The most machines, used ones included. Machines in use are never ended for it.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10_000)]
    pub max: Option<u32>,
}

/// Which machine to destroy.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroy {
    /// EC2's id (`i-…`) or ours (`m-…`).
    #[serde(rename = "machineId")]
    #[schema(value_type = MachineRef, example = "i-0123456789abcdef0")]
    pub machine_id: String,
}

/// A request whose fields do not go together. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A number out of its bounds.
    #[error("{field} is {value}: give {min} to {max}", min = allowed.start(), max = allowed.end())]
    OutOfBounds {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u32,
        /// What it may be.
        allowed: RangeInclusive<u32>,
    },
    /// More than the most.
    #[error(
        "{field} would be {value} and max {max}: {field} may be at most max. Send both to change both"
    )]
    AboveMax {
        /// Which.
        field: &'static str,
        /// What it would be.
        value: u32,
        /// What the most would be.
        max: u32,
    },
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        Self::new(Code::InvalidBody, format!("{error}."))
    }
}

impl ClaimMachine {
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        self.ttl_minutes.map_or(Ok(()), |minutes| {
            within("ttl_minutes", minutes, TTL_MINUTES)
        })
    }
}

impl ChangePool {
    /// The bounds as they would be with this change.
    pub fn of(&self, bounds: Bounds) -> Result<Bounds, RequestError> {
        for (field, value) in [
            ("buffer", self.buffer),
            ("min", self.min),
            ("max", self.max),
        ] {
            if let Some(value) = value {
                within(field, value, 0..=MAX_MACHINES)?;
            }
        }
        let changed = Bounds {
            buffer: self.buffer.unwrap_or(bounds.buffer),
            min: self.min.unwrap_or(bounds.min),
            max: self.max.unwrap_or(bounds.max),
        };
        let Bounds { buffer, min, max } = changed;
        for (field, value) in [("buffer", buffer), ("min", min)] {
            if value > max {
                return Err(RequestError::AboveMax { field, value, max });
            }
        }
        Ok(changed)
    }
}

fn within(
    field: &'static str,
    value: u32,
    allowed: RangeInclusive<u32>,
) -> Result<(), RequestError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(RequestError::OutOfBounds {
        field,
        value,
        allowed,
    })
}
