//! A machine's record: the one truth about it, through all its attempts. How it changes is in
//! [`crate::transition`]; nothing else writes these fields.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    failure::MachineError,
    ids::{InstanceId, MachineId},
    launch::{
        AmiId, Cidr, InstanceType, KeyName, LaunchTemplateId, MachineName, SecurityGroupId,
        SubnetId, Tags, UserData,
    },
    naming,
    offer::Tried,
    plan::LaunchPlan,
    poll::Deadlines,
    pool::Membership,
    staging::StagingSpec,
    status::{Architecture, Desired, InstanceState, Market, OnFailure, Source, Status, VolumeType},
};

/// Version of the record's shape; a reader must understand all up to its own.
pub const SCHEMA: u32 = 2;

/// How long an ended machine stays readable.
pub const READABLE_AFTER_END: SignedDuration = SignedDuration::from_hours(24);

/// What to launch, as the caller asked. What of it an attempt launches is its [`LaunchPlan`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Launch template id; explicit fields override what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template_id: Option<LaunchTemplateId>,
    /// AMI id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami: Option<AmiId>,
    /// EC2 instance type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<InstanceType>,
    /// Processor architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Market.
    #[serde(default)]
    pub market: Market,
    /// Try on-demand when no spot offer is left.
    #[serde(default)]
    pub fallback_to_on_demand: bool,
    /// Root volume, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_gb: Option<u32>,
    /// Root volume's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<VolumeType>,
    /// Subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<SubnetId>,
    /// Security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// Whom a security group of the machine's own lets in; none is made without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_group_cidr: Option<Cidr>,
    /// Key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<KeyName>,
    /// User data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<UserData>,
    /// Tags of the caller's.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What EC2 says of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// EC2's id.
    pub id: InstanceId,
    /// EC2's state, when it was last seen.
    pub state: InstanceState,
    /// Why it is in that state, in EC2's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// The same, as EC2's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason_code: Option<String>,
    /// AMI id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_id: Option<String>,
    /// EC2 instance type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// `x86_64` or `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Availability zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Subnet id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// Public IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<String>,
    /// Private IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
    /// First security group's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_id: Option<String>,
    /// Spot request id, for a spot instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_request_id: Option<String>,
    /// Key pair's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// When EC2 launched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_time: Option<Timestamp>,
}

/// An instance that a listing of EC2 did not show. Listings are eventually consistent: only several
/// sightings over some time mean that it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// When it was first missed.
    pub since: Timestamp,
    /// In how many passes.
    pub passes: u32,
}

/// How a spot request stands (EC2 API, `SpotInstanceStatus`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotStatus {
    /// Such as `fulfilled` or `instance-terminated-no-capacity`.
    pub code: String,
    /// In EC2's words.
    #[serde(default)]
    pub message: String,
}

/// A security group of the machine's own. It goes with the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnGroup {
    /// Its id, as soon as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SecurityGroupId>,
    /// EC2 said that it is gone.
    #[serde(default)]
    pub deleted: bool,
}

/// One step of a machine's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// The status entered; a launch that is tried elsewhere enters it again.
    pub phase: Status,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In a few words.
    pub detail: String,
}

/// A machine's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Ours.
    pub id: MachineId,
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// Counts writes; every write is conditional on it.
    pub version: u64,
    /// Who asked for it.
    pub owner: String,
    /// Shown in EC2's console.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// Where it is in its life.
    pub status: Status,
    /// What is wanted.
    pub desired: Desired,
    /// What to launch.
    pub launch: LaunchSpec,
    /// What to stage; nothing for a bare machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<StagingSpec>,
    /// What to do with the instance when provisioning fails.
    pub on_failure: OnFailure,
    /// How long a kept failed machine lives, in minutes.
    pub keep_failed_minutes: u32,
    /// How long each phase may take.
    pub deadlines: Deadlines,
    /// Wait for EC2's status checks before staging.
    #[serde(default)]
    pub wait_for_status_checks: bool,
    /// Counts launches; each has its own client token.
    pub attempt: u32,
    /// Counts the times it is brought up: by the launch, then by each start.
    #[serde(default = "first")]
    pub cycle: u32,
    /// Counts executions within the cycle; a further one takes over from one that died.
    pub run: u32,
    /// It takes a place in its owner's quota, as all do but the pool's.
    #[serde(default)]
    pub counted: bool,
    /// What the current attempt launches; set before RunInstances is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<LaunchPlan>,
    /// What EC2 refused before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// The security group of its own. Set before it is created: from then on one may exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_group: Option<OwnGroup>,
    /// How its spot request stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_status: Option<SpotStatus>,
    /// Since when starting an execution has been failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstarted_since: Option<Timestamp>,
    /// Set before RunInstances is called for the first time: from then on an instance may exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_requested_at: Option<Timestamp>,
    /// EC2's id, as soon as it is known. Apart from `instance`, because an index is built on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// What EC2 last said of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceFacts>,
    /// The instance is missing from EC2's listings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// SSM's id of the staging command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MachineError>,
    /// Its place in the pool; nothing for a machine of POST /instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Membership>,
    /// What happened when.
    pub timeline: Vec<TimelineEntry>,
    /// Tail of the staging command's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// When Haulout ends it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When its end was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_announced_at: Option<Timestamp>,
    /// Since when it is certain that no instance of it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// Since when it is certain that nothing of it exists: no instance, no security group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

const fn first() -> u32 {
    1
}

/// What a caller asked for, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRequest {
    /// Who asks.
    pub owner: String,
    /// A name, or none for [`naming::default_name`].
    pub name: Option<MachineName>,
    /// What to launch.
    pub launch: LaunchSpec,
    /// What to stage.
    pub staging: Option<StagingSpec>,
    /// What to do with the instance when provisioning fails.
    pub on_failure: OnFailure,
    /// How long a kept failed machine lives, in minutes.
    pub keep_failed_minutes: u32,
    /// How long each phase may take.
    pub deadlines: Deadlines,
    /// Wait for EC2's status checks before staging.
    pub wait_for_status_checks: bool,
    /// How long it lives, in minutes; until it is deleted when there is none.
    pub ttl_minutes: Option<u32>,
}

impl Machine {
    /// The record of a new machine: written before anything is launched.
    pub fn new(id: MachineId, request: MachineRequest, now: Timestamp) -> Self {
        let MachineRequest {
            owner,
            name,
            launch,
            staging,
            on_failure,
            keep_failed_minutes,
            deadlines,
            wait_for_status_checks,
            ttl_minutes,
        } = request;
        Self {
            id,
            schema: SCHEMA,
            version: 1,
            owner,
            name: name.map_or_else(|| naming::default_name(now), String::from),
            source: Source::Launch,
            status: Status::WaitingForInstance,
            desired: Desired::Running,
            launch,
            staging,
            on_failure,
            keep_failed_minutes,
            deadlines,
            wait_for_status_checks,
            attempt: 1,
            cycle: 1,
            run: 1,
            counted: true,
            plan: None,
            tried: Vec::new(),
            own_group: None,
            spot_status: None,
            unstarted_since: None,
            launch_requested_at: None,
            instance_id: None,
            instance: None,
            missing: None,
            command_id: None,
            error: None,
            pool: None,
            timeline: vec![TimelineEntry {
                phase: Status::WaitingForInstance,
                at: now,
                detail: "launch requested".to_owned(),
            }],
            output: None,
            created_at: now,
            updated_at: now,
            expires_at: ttl_minutes.and_then(|minutes| {
                now.checked_add(SignedDuration::from_mins(i64::from(minutes)))
                    .ok()
            }),
            expiry_announced_at: None,
            gone_at: None,
            closed_at: None,
        }
    }

    /// The EC2 client token of the current attempt.
    pub fn client_token(&self) -> String {
        naming::client_token(&self.id, self.attempt)
    }

    /// The name of the execution that works, or should work, on it.
    pub fn execution_name(&self) -> String {
        naming::execution_name(&self.id, self.cycle, self.run)
    }

    /// It should be gone, and is not known to be.
    pub fn is_unwinding(&self) -> bool {
        self.desired == Desired::Terminated && self.closed_at.is_none()
    }

    /// It is, or is to be, a spot instance.
    pub fn market(&self) -> Market {
        let is_spot = self
            .instance
            .as_ref()
            .is_some_and(|facts| facts.spot_request_id.is_some());
        match &self.plan {
            _ if is_spot => Market::Spot,
            Some(plan) => plan.market(),
            None => self.launch.market,
        }
    }

    /// How to log in, where there is a key, an address and a system that has SSH.
    pub fn ssh_string(&self, facts: Option<&InstanceFacts>) -> Option<String> {
        let facts = facts?;
        let key = facts.key_name.as_deref()?;
        let user = self.plan.as_ref()?.login_user.as_deref()?;
        let address = facts.public_ip.as_deref().or(facts.private_ip.as_deref())?;
        Some(format!("ssh -i {key}.pem {user}@{address}"))
    }

    /// When the current status was entered.
    pub fn phase_entered_at(&self) -> Timestamp {
        self.timeline
            .last()
            .map_or(self.created_at, |entry| entry.at)
    }

    /// From when on the record may be deleted. Stores delete late: readers check it too.
    pub fn purge_at(&self) -> Option<Timestamp> {
        self.closed_at
            .and_then(|closed| closed.checked_add(READABLE_AFTER_END).ok())
    }

    /// The record has outlived its use.
    pub fn is_purged(&self, now: Timestamp) -> bool {
        self.purge_at().is_some_and(|purge| purge <= now)
    }
}
