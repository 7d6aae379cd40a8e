//! Everything the simulator remembers, behind one mutex, and what an action is given to work with.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::armed::Faults;
use super::autoscaling::{Notice, ScalingGroup};
use super::clock::after;
use super::config::SimConfig;
use super::ec2::{LaunchTemplate, SecurityGroup, SpotRequest};
use super::image::Image;
use super::instance::Instance;
use super::limits::Limits;
use super::ssm::{Command, InvocationKey};

/// How long a client token is remembered after its instance ended: EC2 promises at least a day.
const TOKEN_LIFE: Duration = Duration::from_hours(24);

/// What is behind the mutex.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) faults: Faults,
    /// Requests received, by service and action.
    pub(super) calls: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) limits: Limits,
    pub(super) images: Vec<Image>,
}

impl State {
    pub(super) fn count(&mut self, service: &str, action: &str) {
        *self
            .calls
            .entry(service.into())
            .or_default()
            .entry(action.into())
            .or_default() += 1;
    }
}

/// What survives a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) templates: BTreeMap<String, LaunchTemplate>,
    pub(super) spot_requests: BTreeMap<String, SpotRequest>,
    #[serde(default)]
    pub(super) security_groups: BTreeMap<String, SecurityGroup>,
    /// Auto Scaling groups by name.
    #[serde(default)]
    pub(super) scaling_groups: BTreeMap<String, ScalingGroup>,
    /// What Auto Scaling has for EventBridge and was not given out yet, oldest first.
    #[serde(default)]
    pub(super) notices: VecDeque<Notice>,
    pub(super) commands: BTreeMap<String, Command>,
    /// Idempotency: by action and client token.
    pub(super) tokens: BTreeMap<String, Token>,
    /// Instances ever launched; also the ordinal of the last one.
    pub(super) launched: u64,
    /// Security groups ever made; also the ordinal of the last one.
    #[serde(default)]
    pub(super) groups_made: u64,
    /// Commands ever sent; also the ordinal of the last one.
    pub(super) sent: u64,
    /// Grows with every change: what tells that the state must be saved.
    #[serde(skip)]
    pub(super) changes: u64,
    /// Commands sent by the request being handled, for the executor.
    #[serde(skip)]
    pub(super) to_execute: Vec<InvocationKey>,
}

/// What a client token stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    /// Digest of the request's parameters.
    pub(super) parameters: String,
    /// The ids that the request made.
    pub(super) resources: Vec<String>,
}

impl World {
    /// Notes that something changed.
    pub(super) fn touch(&mut self) {
        self.changes += 1;
    }

    /// Forgets instances that are long gone, their commands and tokens. Answers whether there were any.
    pub(super) fn forget(&mut self, now: Timestamp) -> bool {
        let before = self.instances.len();
        self.instances.retain(|_, instance| {
            instance.has_files
                || instance
                    .terminated_at(now)
                    .is_none_or(|at| after(at, TOKEN_LIFE) > now)
        });
        if self.instances.len() == before {
            return false;
        }
        let instances = &self.instances;
        self.commands.retain(|_, command| {
            command
                .invocations
                .keys()
                .any(|id| instances.contains_key(id))
        });
        self.spot_requests
            .retain(|_, request| instances.contains_key(&request.instance_id));
        self.tokens.retain(|_, token| {
            token
                .resources
                .iter()
                .any(|id| !id.starts_with("i-") || instances.contains_key(id))
        });
        self.touch();
        true
    }
}

/// What an action works with: the state, and the instant at which it happens.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) faults: &'a mut Faults,
    pub(super) limits: &'a Limits,
    pub(super) images: &'a [Image],
    pub(super) config: &'a SimConfig,
    /// Simulated time.
    pub(super) now: Timestamp,
    /// Time as told to callers.
    pub(super) wall: Timestamp,
}

impl Call<'_> {
    /// Whether EC2 still knows the instance: it forgets terminated ones after a while.
    pub(super) fn is_visible(&self, instance: &Instance) -> bool {
        instance
            .terminated_at(self.now)
            .is_none_or(|at| after(at, self.config.terminated_visible) > self.now)
    }

    /// The instances that Describe calls know, oldest first.
    pub(super) fn described(&self) -> Vec<&Instance> {
        let mut instances: Vec<_> = self
            .world
            .instances
            .values()
            .filter(|i| i.described_from <= self.now && self.is_visible(i))
            .collect();
        instances.sort_by_key(|i| i.ordinal);
        instances
    }
}
