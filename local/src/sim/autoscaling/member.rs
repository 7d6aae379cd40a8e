//! An instance of a group, as Auto Scaling sees it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::activity::Activity;
use crate::sim::instance::Instance;

/// Where an instance is in its life. One that has ended belongs to no group any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lifecycle {
    Pending,
    InService,
    Terminating,
}

impl Lifecycle {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
        }
    }
}

/// An instance of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct Member {
    /// The instance's: the lower, the older.
    pub(super) ordinal: u64,
    pub(super) zone: String,
    pub(super) subnet_id: String,
    pub(super) instance_type: String,
    /// The version of the launch template, as a number.
    pub(super) template_version: String,
    pub(super) lifecycle: Lifecycle,
    /// An instance once found unhealthy never becomes healthy by itself.
    pub(super) healthy: bool,
    pub(super) protected: bool,
    /// The simulated instant of its launch.
    pub(super) launched: Timestamp,
    /// How many of the instance's transitions the group has heeded.
    pub(super) seen: usize,
    /// What is being done to it.
    pub(super) activity: Option<Activity>,
}

impl Member {
    /// An instance that was launched this moment.
    pub(super) fn new(instance: &Instance, protected: bool, launched: Timestamp) -> Self {
        let version = instance.tags.get("aws:ec2launchtemplate:version");
        Self {
            ordinal: instance.ordinal,
            zone: instance.zone.clone(),
            subnet_id: instance.subnet_id.clone(),
            instance_type: instance.spec.instance_type.clone().unwrap_or_default(),
            template_version: version.cloned().unwrap_or_default(),
            lifecycle: Lifecycle::Pending,
            healthy: true,
            protected,
            launched,
            // A timeline begins with `pending`, at the launch.
            seen: 1,
            activity: None,
        }
    }

    /// Auto Scaling's word for its health.
    pub(super) fn health(&self) -> &'static str {
        if self.healthy { "Healthy" } else { "Unhealthy" }
    }

    /// Whether it counts towards the group's capacity. An unhealthy one does until it is replaced.
    pub(super) fn counts(&self) -> bool {
        self.lifecycle != Lifecycle::Terminating
    }
}
