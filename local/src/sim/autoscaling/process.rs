//! The processes of a group, and SuspendProcesses and ResumeProcesses.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::activity::instant;
use super::{errors, find, settle};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

/// What a group does by itself, and may be told not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Process {
    Launch,
    Terminate,
    AddToLoadBalancer,
    AlarmNotification,
    #[serde(rename = "AZRebalance")]
    AzRebalance,
    HealthCheck,
    InstanceRefresh,
    ReplaceUnhealthy,
    ScheduledActions,
}

impl Process {
    const ALL: [Self; 9] = [
        Self::Launch,
        Self::Terminate,
        Self::AddToLoadBalancer,
        Self::AlarmNotification,
        Self::AzRebalance,
        Self::HealthCheck,
        Self::InstanceRefresh,
        Self::ReplaceUnhealthy,
        Self::ScheduledActions,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Terminate => "Terminate",
            Self::AddToLoadBalancer => "AddToLoadBalancer",
            Self::AlarmNotification => "AlarmNotification",
            Self::AzRebalance => "AZRebalance",
            Self::HealthCheck => "HealthCheck",
            Self::InstanceRefresh => "InstanceRefresh",
            Self::ReplaceUnhealthy => "ReplaceUnhealthy",
            Self::ScheduledActions => "ScheduledActions",
        }
    }

    /// The processes of these names; without any, all there are.
    pub(super) fn read(names: &[String]) -> Result<BTreeSet<Self>, ApiError> {
        if names.is_empty() {
            return Ok(Self::ALL.into());
        }
        let process = |name: &String| {
            let mut all = Self::ALL.into_iter();
            let known = all.find(|process| process.name() == name);
            known.ok_or_else(|| {
                errors::validation(format!("The process type {name} is not a valid process."))
            })
        };
        names.iter().map(process).collect()
    }
}

pub(super) fn suspend_processes(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let processes = Process::read(&params.list("ScalingProcesses.member"))?;
    let reason = format!("User suspended at {}", instant(call.wall));
    let group = find::named(call, params)?;
    for process in processes {
        // Suspended again, it keeps its first reason.
        group
            .suspended
            .entry(process)
            .or_insert_with(|| reason.clone());
    }
    let name = group.name.clone();
    settle::reconsider(call, &name);
    Ok(Xml::default())
}

pub(super) fn resume_processes(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let processes = Process::read(&params.list("ScalingProcesses.member"))?;
    let group = find::named(call, params)?;
    group
        .suspended
        .retain(|process, _| !processes.contains(process));
    group.failures = 0;
    group.launch_at = None;
    let name = group.name.clone();
    settle::resumed(call, &name);
    Ok(Xml::default())
}
