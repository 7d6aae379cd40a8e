//! What EC2 tells CloudWatch of an instance: the same figures for the same instance and instant, always.

use jiff::Timestamp;

use crate::sim::clock::after;
use crate::sim::config::SimConfig;
use crate::sim::ids;
use crate::sim::instance::{Instance, State};

/// How often EC2 tells its figures without detailed monitoring, and status checks always; seconds.
const BASIC: i64 = 300;
const STATUS: i64 = 60;
/// How long a machine is busy after its boot; seconds.
const BUSY: i64 = 600;

/// A metric of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    CpuUtilization,
    StatusCheckFailed,
    StatusCheckFailedInstance,
    StatusCheckFailedSystem,
}

impl Metric {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "CPUUtilization" => Self::CpuUtilization,
            "StatusCheckFailed" => Self::StatusCheckFailed,
            "StatusCheckFailed_Instance" => Self::StatusCheckFailedInstance,
            "StatusCheckFailed_System" => Self::StatusCheckFailedSystem,
            _ => return None,
        })
    }

    /// Seconds between two samples.
    pub(super) fn resolution(self) -> i64 {
        match self {
            Self::CpuUtilization => BASIC,
            _ => STATUS,
        }
    }

    /// The sample of the time from `at` on; `None` while the instance does not run, or its checks are not done.
    pub(super) fn sample(
        self,
        instance: &Instance,
        at: Timestamp,
        config: &SimConfig,
    ) -> Option<f64> {
        let current = instance.current(at)?;
        if current.state != State::Running {
            return None;
        }
        let failed = |is: bool| Some(if is { 1.0 } else { 0.0 });
        let usual = config.status_check_delay;
        let checked = after(current.at, instance.habits.status_checks.unwrap_or(usual)) <= at;
        let passes = instance.habits.status_checks.is_some();
        match self {
            Self::CpuUtilization => {
                let busy = at.duration_since(current.at).as_secs() < BUSY;
                Some(cpu(&instance.id, at, busy))
            }
            _ if !checked => None,
            Self::StatusCheckFailedSystem => failed(false),
            Self::StatusCheckFailed | Self::StatusCheckFailedInstance => failed(!passes),
        }
    }
}

/// Per cent: high while the machine is busy, low later; scattered by the instance and the instant.
fn cpu(id: &str, at: Timestamp, busy: bool) -> f64 {
    let digest = ids::digest(&format!("{id}/{}", at.as_second()));
    let scatter = u16::from_str_radix(&digest[..4], 16).unwrap_or(0);
    let share = f64::from(scatter) / f64::from(u16::MAX);
    let (least, span) = if busy { (40.0, 55.0) } else { (1.0, 8.0) };
    ((least + span * share) * 100.0).round() / 100.0
}
