//! A simulated instance: what was asked for, and a timeline from which its state at any instant follows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock::after;
use super::ec2::LaunchSpec;
use super::lifecycle::Interruption;

pub(super) type Tags = BTreeMap<String, String>;

/// EC2's instance states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    /// EC2's number for the state.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// EC2's name for the state.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it is on its way out or gone.
    pub(super) fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// Why an instance is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) message: String,
}

/// From `at` on, until the next one, the instance is in `state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Transition {
    pub(super) at: Timestamp,
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
}

/// A volume of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Volume {
    pub(super) id: String,
    pub(super) device: String,
    /// In GiB.
    #[serde(default)]
    pub(super) size_gib: u32,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) encrypted: bool,
    pub(super) delete_on_termination: bool,
    pub(super) tags: Tags,
}

/// How a machine behaves after it runs; `None` is never.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Habits {
    /// From running to registered with Systems Manager.
    pub(super) registration: Option<Duration>,
    /// From running to passed status checks.
    pub(super) status_checks: Option<Duration>,
}

/// How a machine behaved until it was started again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Before {
    /// When it was started.
    pub(super) until: Timestamp,
    pub(super) habits: Habits,
    pub(super) was_registered: bool,
}

/// Whether the agent answers Systems Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    Online,
    ConnectionLost,
}

impl Ping {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::ConnectionLost => "connection_lost",
        }
    }
}

/// The root device of an instance kept by a simulator that had one for all.
fn usual_root_device() -> String {
    "/dev/xvda".into()
}

/// An instance, from its launch until some time after it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) id: String,
    /// The how-manieth instance ever; lists are in this order.
    pub(super) ordinal: u64,
    pub(super) reservation_id: String,
    pub(super) launch_index: u32,
    pub(super) client_token: Option<String>,
    pub(super) spec: LaunchSpec,
    pub(super) architecture: String,
    #[serde(default = "usual_root_device")]
    pub(super) root_device: String,
    pub(super) zone: String,
    pub(super) subnet_id: String,
    /// The first three octets of its private address.
    pub(super) subnet_prefix: [u8; 3],
    pub(super) tags: Tags,
    pub(super) volumes: Vec<Volume>,
    pub(super) spot_request_id: Option<String>,
    /// Last launch or start, as callers are told.
    pub(super) launch_time: Timestamp,
    /// Simulated instants from which Describe calls, and calls that change it, know it.
    pub(super) described_from: Timestamp,
    pub(super) changeable_from: Timestamp,
    pub(super) timeline: Vec<Transition>,
    pub(super) habits: Habits,
    /// Its agent had registered before it was started last.
    #[serde(default)]
    pub(super) was_registered: bool,
    /// What held before it was started again: what has happened does not change with it.
    #[serde(default)]
    pub(super) before: Vec<Before>,
    /// How often it was started; each time brings another public address.
    pub(super) boots: u32,
    pub(super) interrupted_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) interrupted_because: Option<Interruption>,
    /// How many of its transitions EventBridge was told, and whether of its interruption.
    #[serde(default)]
    pub(super) told: usize,
    #[serde(default)]
    pub(super) warned: bool,
    /// Since when it ran when a command began on it: there may be processes of that time.
    pub(super) processes_since: Option<Timestamp>,
    /// Its directory exists.
    pub(super) has_files: bool,
}

impl Instance {
    /// The transition in force. The first one lies at the launch, so there always is one for any later instant.
    pub(super) fn current(&self, now: Timestamp) -> Option<&Transition> {
        self.timeline.iter().rev().find(|t| t.at <= now)
    }

    pub(super) fn state(&self, now: Timestamp) -> State {
        self.current(now).map_or(State::Pending, |t| t.state)
    }

    /// Since when it has been running, if it runs.
    pub(super) fn running_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.current(now)
            .filter(|t| t.state == State::Running)
            .map(|t| t.at)
    }

    /// When it was terminated, if it is.
    pub(super) fn terminated_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.current(now)
            .filter(|t| t.state == State::Terminated)
            .map(|t| t.at)
    }

    /// Whether it has run without a break since `since`.
    pub(super) fn has_run_since(&self, since: Timestamp, now: Timestamp) -> bool {
        self.leaves_running_after(since).is_none_or(|at| at > now)
    }

    /// When it stops running after `since`, if that is known yet.
    pub(super) fn leaves_running_after(&self, since: Timestamp) -> Option<Timestamp> {
        self.timeline
            .iter()
            .find(|t| t.at > since && t.state != State::Running)
            .map(|t| t.at)
    }

    /// Whether the agent has registered, and whether it answers now; `None` before its first registration and once the
    /// instance is terminated.
    pub(super) fn ping(&self, now: Timestamp) -> Option<Ping> {
        if self.state(now) == State::Terminated {
            return None;
        }
        let before = self.before.iter().find(|before| now < before.until);
        let (habits, was_registered) = before
            .map_or((self.habits, self.was_registered), |before| {
                (before.habits, before.was_registered)
            });
        let delay = habits.registration;
        let registered_by = |since, by| delay.is_some_and(|delay| after(since, delay) <= by);
        if self
            .running_since(now)
            .is_some_and(|since| registered_by(since, now))
        {
            return Some(Ping::Online);
        }
        let since_boot = self
            .timeline
            .iter()
            .rposition(|t| t.state == State::Pending && t.at <= now)
            .unwrap_or(0);
        let this_time = self.timeline.iter().skip(since_boot);
        let registered_before = was_registered
            || this_time.clone().zip(this_time.skip(1)).any(|(from, to)| {
                from.state == State::Running && to.at <= now && registered_by(from.at, to.at)
            });
        registered_before.then_some(Ping::ConnectionLost)
    }

    /// Whether system and instance status checks have passed; `None` while it does not run.
    pub(super) fn checks_passed(&self, now: Timestamp) -> Option<bool> {
        let since = self.running_since(now)?;
        Some(
            self.habits
                .status_checks
                .is_some_and(|delay| after(since, delay) <= now),
        )
    }

    pub(super) fn private_ip(&self) -> String {
        let [a, b, c] = self.subnet_prefix;
        // EC2 keeps the first four addresses of a subnet and its last one.
        format!("{a}.{b}.{c}.{}", 4 + self.ordinal % 251)
    }

    /// Its public address while it runs, from the documentation ranges (RFC 5737).
    pub(super) fn public_ip(&self, now: Timestamp) -> Option<String> {
        const RANGES: [&str; 3] = ["203.0.113", "198.51.100", "192.0.2"];
        const HOSTS: u64 = 254;
        self.running_since(now)?;
        if self.spec.associate_public_ip == Some(false) {
            return None;
        }
        let n = self.ordinal + u64::from(self.boots) * 97;
        let range = RANGES[usize::try_from(n / HOSTS % 3).unwrap_or(0)];
        Some(format!("{range}.{}", 1 + n % HOSTS))
    }

    pub(super) fn is_spot(&self) -> bool {
        self.spot_request_id.is_some()
    }
}
