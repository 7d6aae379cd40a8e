//! What a test world is started with.

use std::time::Duration;

use haulout_domain::{plan::LaunchDefaults, pool::PoolSettings};
use haulout_local::sim::{
    AutoScalingGroupSeed, Clock, Executor, LAUNCH_TEMPLATE_ID, ScriptedCommand, ScriptedOutcome,
    SimConfig,
};

use crate::world::POOL_GROUP;

/// How the staging command's success reads.
pub const STAGED: &str = "haulout: ready script=running pid=4711 size_bytes=120 seconds=4\n";

/// How a test world behaves.
pub struct Settings {
    /// The simulator's: delays, lags, images, capacity.
    pub sim: SimConfig,
    /// Whether the schedule runs.
    pub sweeps: bool,
    /// From one run of the schedule to the next.
    pub sweep_every: Duration,
    /// Whether the event of an execution's bad end is delivered.
    pub events: bool,
    /// Lambda invocations that are due at the same time run at once, in an order that this seed decides.
    pub shuffle: Option<u64>,
    /// How long a failed machine that is kept lives, in minutes.
    pub keep_failed_minutes: u32,
    /// What launches are by default, and what is allowed.
    pub launch: LaunchDefaults,
    /// What the pool should be, where there is one.
    pub pool: Option<PoolSettings>,
    /// Dangers of the pool's group are taken out of it.
    pub pool_repairs: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::staging(|_| staged(Duration::from_secs(8)))
    }
}

impl Settings {
    /// A launch whose staging commands go as `script` says: boot 12 s, registration 13 s, no lag.
    pub fn staging(
        script: impl Fn(&ScriptedCommand) -> ScriptedOutcome + Send + Sync + 'static,
    ) -> Self {
        Self {
            sim: SimConfig::new(Clock::manual(), Executor::scripted(script)),
            sweeps: true,
            sweep_every: Duration::from_mins(1),
            events: true,
            shuffle: None,
            keep_failed_minutes: 10,
            launch: LaunchDefaults {
                launch_template_id: LAUNCH_TEMPLATE_ID.parse().ok(),
                ..LaunchDefaults::default()
            },
            pool: None,
            pool_repairs: false,
        }
    }

    /// A pool over a group that has so many instances from the start, and whose settings are as they should be.
    #[must_use]
    pub fn pooled(mut self, desired: u32) -> Self {
        self.pool = Some(PoolSettings::default());
        self.sim.auto_scaling_groups = vec![AutoScalingGroupSeed {
            name: POOL_GROUP.to_owned(),
            launch_template_id: LAUNCH_TEMPLATE_ID.to_owned(),
            max: 200,
            desired,
            new_instances_protected: true,
            suspended_processes: vec!["AZRebalance".to_owned(), "ReplaceUnhealthy".to_owned()],
            ..AutoScalingGroupSeed::default()
        }];
        self
    }

    /// A launch whose staging command fails as one does whose blob is not a zip.
    pub fn failing() -> Self {
        Self::staging(|_| not_a_zip())
    }

    /// EC2 shows a new instance only after so many seconds, and Systems Manager a new command after two.
    #[must_use]
    pub fn lagging(mut self, seconds: u64) -> Self {
        self.sim.describe_lag = Duration::from_secs(seconds);
        self.sim.invocation_lag = Duration::from_secs(2);
        self
    }
}

/// A staging command that succeeds.
pub fn staged(duration: Duration) -> ScriptedOutcome {
    ScriptedOutcome {
        duration,
        exit_code: 0,
        stdout: STAGED.to_owned(),
        stderr: String::new(),
    }
}

/// A staging command whose blob is not a zip archive.
pub fn not_a_zip() -> ScriptedOutcome {
    ScriptedOutcome {
        duration: Duration::from_secs(5),
        exit_code: 1,
        stdout: "haulout: failed not_a_zip: the blob is not a zip archive\n".to_owned(),
        stderr: String::new(),
    }
}
