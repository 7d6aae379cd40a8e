//! A machine as callers see it: its record, merged with what EC2 says of its instance right now.

use haulout_domain::{
    blob::BlobRef,
    failure::MachineError,
    ids::{InstanceId, MachineId},
    launch::InstanceType,
    machine::{InstanceFacts, Machine, SpotStatus, TimelineEntry},
    package::PackageRef,
    staging::Archive,
    status::{Architecture, InstanceState, Market, Source, Status},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Which system runs the machine; older callers look for the field.
const BACKEND: &str = "haulout";

/// A machine. Absent values are null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineView {
    /// Ours.
    #[schema(value_type = String, example = "m-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d")]
    pub id: MachineId,
    /// EC2's, once launched.
    #[schema(value_type = Option<String>, example = "i-0123456789abcdef0")]
    pub instance_id: Option<InstanceId>,
    /// The `Name` tag.
    pub name: String,
    /// Where it is in its life.
    pub status: Status,
    /// The same as `status`, for older callers.
    pub processing_status: Status,
    /// EC2's own state; on GET of one machine as it is right now.
    pub state: Option<InstanceState>,
    /// What was staged.
    #[schema(value_type = Option<String>)]
    pub blob_id: Option<BlobRef>,
    /// The package that was staged.
    #[schema(value_type = Option<String>, example = "audience-classifier@v1.0")]
    pub package: Option<PackageRef>,
    /// Where it comes from.
    pub source: Source,
    /// The same as `ami_id`, for older callers.
    pub ami: Option<String>,
    /// The AMI.
    pub ami_id: Option<String>,
    /// The EC2 instance type.
    pub instance_type: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// How EC2 sells it.
    pub market: Market,
    /// Of a spot machine.
    pub spot_request_id: Option<String>,
    /// How its spot request stands; on GET of one machine as it is right now.
    pub spot_status: Option<SpotStatusView>,
    /// Where EC2 placed it.
    pub availability_zone: Option<String>,
    /// Where EC2 placed it.
    pub subnet_id: Option<String>,
    /// Public IPv4 address.
    pub public_ip: Option<String>,
    /// Private IPv4 address.
    pub private_ip: Option<String>,
    /// How to log in, when there is a key and an address.
    pub ssh_string: Option<String>,
    /// When EC2 launched it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub launch_time: Option<Timestamp>,
    /// The security group of its own, or else its first one.
    pub security_group_id: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its record last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When Haulout ends it by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Who asked for it.
    pub owner: String,
    /// Why it failed.
    pub error: Option<MachineError>,
    /// What happened when.
    pub timeline: Vec<TimelineEntry>,
    /// Tail of the staging command's output.
    pub output: Option<String>,
    /// Which system runs it.
    #[schema(value_type = String)]
    pub backend_used: &'static str,
}

impl MachineView {
    /// The record alone.
    pub fn stored(machine: Machine) -> Self {
        let facts = machine.instance.clone();
        Self::merged(machine, facts.as_ref())
    }

    /// The record with what EC2 says of the instance.
    pub fn merged(machine: Machine, facts: Option<&InstanceFacts>) -> Self {
        let market = machine.market();
        let ssh_string = machine.ssh_string(facts);
        let Planned {
            ami_id,
            instance_type,
            architecture,
        } = Planned::of(&machine);
        let own_group = machine
            .own_group
            .and_then(|group| group.id)
            .map(String::from);
        let archive = machine.staging.as_ref().map(|staging| &staging.archive);
        let fact = |pick: fn(&InstanceFacts) -> Option<&String>| facts.and_then(pick).cloned();
        let ami_id = fact(|facts| facts.ami_id.as_ref()).or(ami_id);
        Self {
            id: machine.id,
            instance_id: machine.instance_id,
            name: machine.name,
            status: machine.status,
            processing_status: machine.status,
            state: facts.map(|facts| facts.state),
            blob_id: archive.and_then(Archive::blob).cloned(),
            package: archive.and_then(Archive::package).cloned(),
            source: machine.source,
            ami: ami_id.clone(),
            ami_id,
            instance_type: fact(|facts| facts.instance_type.as_ref()).or(instance_type),
            architecture: fact(|facts| facts.architecture.as_ref()).or(architecture),
            market,
            spot_request_id: fact(|facts| facts.spot_request_id.as_ref()),
            spot_status: machine.spot_status.map(SpotStatusView::from),
            availability_zone: fact(|facts| facts.availability_zone.as_ref()),
            subnet_id: fact(|facts| facts.subnet_id.as_ref()),
            public_ip: fact(|facts| facts.public_ip.as_ref()),
            private_ip: fact(|facts| facts.private_ip.as_ref()),
            ssh_string,
            launch_time: facts.and_then(|facts| facts.launch_time),
            security_group_id: own_group.or(fact(|facts| facts.security_group_id.as_ref())),
            created_at: machine.created_at,
            updated_at: machine.updated_at,
            expires_at: machine.expires_at,
            owner: machine.owner,
            error: machine.error,
            timeline: machine.timeline,
            output: machine.output,
            backend_used: BACKEND,
        }
    }
}

/// How a spot request stands (EC2 user guide, "Spot request status").
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SpotStatus)]
pub struct SpotStatusView {
    /// Such as `fulfilled` or `marked-for-termination`.
    #[schema(example = "fulfilled")]
    pub code: String,
    /// In EC2's words.
    pub message: String,
}

impl From<SpotStatus> for SpotStatusView {
    fn from(SpotStatus { code, message }: SpotStatus) -> Self {
        Self { code, message }
    }
}

/// What the machine is to be, where EC2 has not said yet what it is.
struct Planned {
    ami_id: Option<String>,
    instance_type: Option<String>,
    architecture: Option<String>,
}

impl Planned {
    fn of(machine: &Machine) -> Self {
        let spec = &machine.launch;
        let plan = machine.plan.as_ref();
        let ami = plan.and_then(|plan| plan.ami.clone());
        let instance_type = plan
            .and_then(|plan| plan.instance_type.clone())
            .or_else(|| spec.instance_type.clone());
        let architecture = instance_type
            .as_ref()
            .map(InstanceType::architecture)
            .or(spec.architecture);
        Self {
            ami_id: ami.or_else(|| spec.ami.clone()).map(String::from),
            instance_type: instance_type.map(String::from),
            architecture: architecture.map(|it: Architecture| it.as_str().to_owned()),
        }
    }
}

/// A page of machines.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineList {
    /// How many match. Exact when they fit one page; otherwise counted once a minute.
    pub total: u64,
    /// The machines, newest first.
    pub instances: Vec<MachineView>,
    /// Pass it as `cursor` to get the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// Answer to DELETE.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Deleted {
    /// In words.
    pub message: String,
    /// Our id.
    #[schema(value_type = String)]
    pub id: MachineId,
    /// EC2's id, if it was launched.
    #[schema(value_type = Option<String>)]
    pub instance_id: Option<InstanceId>,
    /// Where the machine is now.
    pub status: Status,
}
