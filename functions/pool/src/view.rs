//! What callers are told. Absent values are null.

use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::Machine,
    pool::{
        Danger, PoolReport, ProjectId,
        capacity::Bounds,
        claim::ProjectMachine,
        failures::{Failures, PAUSE},
    },
    status::{InstanceState, Status},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Refresh reports every minute. When it has not for so long, something is wrong.
const REPORT_LASTS: SignedDuration = SignedDuration::from_mins(5);

/// A project's machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProjectMachine)]
pub struct ClaimView {
    /// Its public address, or its private one where it has no other.
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// The same as `project_id`, for older callers.
    #[serde(rename = "projectId")]
    #[schema(value_type = String)]
    pub project: ProjectId,
    /// The project.
    #[schema(value_type = String, example = "my-project")]
    pub project_id: ProjectId,
    /// Ours.
    #[schema(value_type = String, example = "m-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d")]
    pub machine_id: MachineId,
    /// EC2's.
    #[schema(value_type = String, example = "i-0123456789abcdef0")]
    pub instance_id: InstanceId,
    /// Since when it is the project's.
    #[schema(value_type = String, format = DateTime)]
    pub claimed_at: Timestamp,
    /// When it is released by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<ProjectMachine> for ClaimView {
    fn from(machine: ProjectMachine) -> Self {
        Self {
            ip: machine.ip,
            project: machine.project_id.clone(),
            project_id: machine.project_id,
            machine_id: machine.machine_id,
            instance_id: machine.instance_id,
            claimed_at: machine.claimed_at,
            expires_at: machine.expires_at,
        }
    }
}

/// Answer to the end of a claim.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Released {
    /// In words.
    pub message: &'static str,
    /// The project.
    #[schema(value_type = String)]
    pub project_id: ProjectId,
    /// The machine it had: ours.
    #[schema(value_type = String)]
    pub machine_id: MachineId,
    /// EC2's.
    #[schema(value_type = Option<String>)]
    pub instance_id: Option<InstanceId>,
    /// Where the machine is now.
    pub status: Status,
}

/// Answer to POST /destroy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Destroyed {
    /// In words.
    pub message: &'static str,
    /// EC2's id.
    #[serde(rename = "machineId")]
    #[schema(value_type = Option<String>)]
    pub instance_id: Option<InstanceId>,
    /// Ours.
    #[schema(value_type = String)]
    pub id: MachineId,
    /// Where the machine is now.
    pub status: Status,
}

impl From<Machine> for Destroyed {
    fn from(machine: Machine) -> Self {
        Self {
            message: if machine.closed_at.is_some() {
                "The machine has ended."
            } else {
                "The machine is being ended."
            },
            instance_id: machine.instance_id,
            id: machine.id,
            status: machine.status,
        }
    }
}

/// The pool: what it should be, and what refresh found it to be.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Pool)]
pub struct PoolView {
    /// The Auto Scaling group; null when the deployment has no pool.
    pub group: Option<String>,
    /// Idle machines to keep.
    pub buffer: u32,
    /// The least machines, used ones included.
    pub min: u32,
    /// The most machines, used ones included.
    pub max: u32,
    /// Machines coming up, or being staged.
    pub warming: Option<u32>,
    /// Machines ready to be handed out.
    pub idle: Option<u32>,
    /// Machines handed out.
    pub claimed: Option<u32>,
    /// Machines on their way out.
    pub draining: Option<u32>,
    /// How many instances the group aims at.
    pub desired: Option<u32>,
    /// The group's own minimum, which holds beside `min`.
    pub group_min: Option<u32>,
    /// The group's own maximum, which holds beside `max`.
    pub group_max: Option<u32>,
    /// Settings of the group by which it would end machines in use; and `staging_fails`, when what is staged fails on each
    /// machine. The note says more.
    #[schema(value_type = Option<Vec<String>>, example = json!(["az_rebalance"]))]
    pub dangers: Option<Vec<Danger>>,
    /// Since when more machines are idle than the buffer holds.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub surplus_since: Option<Timestamp>,
    /// When refresh found this.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// What is wrong, and what to do about it.
    pub note: Option<String>,
}

impl PoolView {
    pub(crate) fn new(
        group: Option<String>,
        bounds: Bounds,
        report: Option<PoolReport>,
        now: Timestamp,
    ) -> Self {
        // What was found of another group says nothing of this one.
        let report = report.filter(|it| Some(&it.group) == group.as_ref());
        let found = report.as_ref();
        Self {
            note: note(group.as_deref(), found, now),
            group,
            buffer: bounds.buffer,
            min: bounds.min,
            max: bounds.max,
            warming: found.map(|it| it.counts.warming),
            idle: found.map(|it| it.counts.idle),
            claimed: found.map(|it| it.counts.claimed),
            draining: found.map(|it| it.counts.draining),
            desired: found.map(|it| it.desired),
            group_min: found.map(|it| it.group_min),
            group_max: found.map(|it| it.group_max),
            surplus_since: found.and_then(|it| it.surplus_since),
            seen_at: found.map(|it| it.at),
            dangers: report.map(dangers),
        }
    }
}

/// What the group's settings endanger, and whether staging fails.
fn dangers(report: PoolReport) -> Vec<Danger> {
    let fails = report.failures.is_some_and(|it| it.is_lasting());
    let staging = fails.then_some(Danger::StagingFails);
    report.dangers.into_iter().chain(staging).collect()
}

fn note(group: Option<&str>, found: Option<&PoolReport>, now: Timestamp) -> Option<String> {
    let Some(group) = group else {
        return Some(
            "The deployment has no pool: deploy it with the parameter AutoScalingGroupName."
                .to_owned(),
        );
    };
    let is_late = |it: &PoolReport| now.duration_since(it.at) > REPORT_LASTS;
    if found.is_none_or(is_late) {
        return Some(format!(
            "Refresh has not seen the group lately. Is there an Auto Scaling group {group} in this account and region? The log of refresh says more."
        ));
    }
    let mut notes = Vec::new();
    if found.is_some_and(|it| !it.dangers.is_empty()) {
        notes.push(format!("The group {group} may end machines in use. Deploy with RepairGroup=true, or change the settings under dangers."));
    }
    let failures = found.and_then(|it| it.failures.as_ref());
    if let Some(failures) = failures.filter(|it| it.is_lasting()) {
        let Failures { count, last, .. } = failures;
        notes.push(format!(
            "Staging failed on the last {count} machines ({}: {}). {} Until it succeeds, one machine is tried at a time, {} minutes after the last failure.",
            last.code, last.message, last.hint, PAUSE.as_mins()
        ));
    }
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// All machines of the pool, for older callers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PoolStatus)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// How many have not ended.
    pub total_machines: usize,
    /// How many of them can be claimed.
    pub idle_machines: usize,
    /// How many of them a project has.
    pub used_machines: usize,
    /// Each of them that the caller may see.
    pub machines: Vec<StatusMachine>,
}

/// A machine of the pool, for older callers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PoolMachine)]
#[serde(rename_all = "camelCase")]
pub struct StatusMachine {
    /// EC2's id.
    #[schema(value_type = Option<String>, example = "i-0123456789abcdef0")]
    pub machine_id: Option<InstanceId>,
    /// Ours.
    #[schema(value_type = String, example = "m-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d")]
    pub id: MachineId,
    /// Its public address, or its private one where it has no other.
    pub ip: Option<String>,
    /// The project that has it.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// Where it is in its life.
    pub status: Status,
    /// EC2's own state, as last seen.
    pub state: Option<InstanceState>,
}

impl From<Machine> for StatusMachine {
    fn from(machine: Machine) -> Self {
        let project_id = machine.claim().map(|claim| claim.project.clone());
        let facts = machine.instance;
        let state = facts.as_ref().map(|it| it.state);
        Self {
            machine_id: machine.instance_id,
            id: machine.id,
            ip: facts.and_then(|it| it.public_ip.or(it.private_ip)),
            project_id,
            status: machine.status,
            state,
        }
    }
}
