//! What goes wrong on purpose when blobs are read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answer with this HTTP status and nothing else.
    Status(u16),
    /// Break the connection after this many bytes of a longer body.
    Truncate(u64),
    /// Send nothing more after this many bytes of a longer body, and keep the connection.
    Stall(u64),
    /// Take no notice of `Range`: 200 and the whole blob.
    NoRanges,
    /// Right size, wrong bytes.
    WrongBytes,
    /// Answer requests for more bytes than this with 403 BLOB_TOO_LARGE.
    Cap(u64),
    /// Name another blob in `ETag`.
    WrongEtag,
}

/// When a fault happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The blob id or object id in the request's path; every blob without it.
    #[serde(default)]
    pub blob: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// How often; for ever without it.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What a request is, as far as faults look at it.
pub(super) struct Asked<'a> {
    /// The id in the path.
    pub(super) id: &'a str,
    /// Whether a range was asked for.
    pub(super) ranged: bool,
    /// Bytes that a good answer would have.
    pub(super) len: u64,
}

/// The armed faults.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<FaultRule>>);

impl Faults {
    /// Arms a fault beside those that are armed already.
    pub fn arm(&self, rule: FaultRule) {
        self.rules().push(rule);
    }

    /// Arms a fault for every blob, for ever.
    pub fn always(&self, fault: Fault) {
        self.arm(FaultRule {
            blob: None,
            fault,
            times: None,
        });
    }

    /// Arms a fault for every blob, for the next requests that it applies to.
    pub fn next(&self, times: u32, fault: Fault) {
        self.arm(FaultRule {
            blob: None,
            fault,
            times: Some(times),
        });
    }

    /// Disarms all.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// The first armed fault that applies to this request, which counts as happened.
    pub(super) fn take(&self, asked: &Asked<'_>) -> Option<Fault> {
        let mut rules = self.rules();
        let index = rules.iter().position(|rule| applies(rule, asked))?;
        let rule = rules.get_mut(index)?;
        let fault = rule.fault;
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                rules.remove(index);
            }
        }
        Some(fault)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn applies(rule: &FaultRule, asked: &Asked<'_>) -> bool {
    rule.blob.as_deref().is_none_or(|blob| blob == asked.id)
        && match rule.fault {
            Fault::Truncate(bytes) | Fault::Stall(bytes) | Fault::Cap(bytes) => asked.len > bytes,
            Fault::NoRanges => asked.ranged,
            Fault::Status(_) | Fault::WrongBytes | Fault::WrongEtag => true,
        }
}
