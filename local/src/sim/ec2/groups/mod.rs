//! Security groups: made, described, opened to addresses, deleted; and named by launches.

mod change;
mod describe;
mod rules;

pub(super) use change::{
    authorize_security_group_ingress, create_security_group, delete_security_group,
};
pub(super) use describe::describe_security_groups;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::rules::Rule;
use super::errors;
use crate::sim::answer::ApiError;
use crate::sim::config::VPC_ID;
use crate::sim::ids;
use crate::sim::instance::{Instance, State, Tags};
use crate::sim::state::{Call, World};

const PREFIX: &str = "sg-";
/// The name of each VPC's own group.
const DEFAULT_NAME: &str = "default";
/// EC2's limit on groups of a network interface, unless raised.
const MAX_PER_INTERFACE: usize = 5;

/// A security group of the default VPC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct SecurityGroup {
    pub(in crate::sim) id: String,
    /// The how-manieth group ever; lists are in this order.
    pub(in crate::sim) ordinal: u64,
    pub(in crate::sim) name: String,
    pub(in crate::sim) description: String,
    pub(in crate::sim) tags: Tags,
    rules: Vec<Rule>,
    /// Simulated instants from which Describe calls, and calls that use or change it, know it.
    pub(super) described_from: Timestamp,
    changeable_from: Timestamp,
    /// It was there from the start.
    pub(in crate::sim) seeded: bool,
}

impl SecurityGroup {
    /// What is let in, as text: protocol, ports, address range.
    pub(in crate::sim) fn ingress(&self) -> Vec<String> {
        self.rules.iter().map(ToString::to_string).collect()
    }
}

/// Puts the configured groups into a world that does not have them; the first is the VPC's default one.
pub(in crate::sim) fn seed(world: &mut World, ids: &[String]) {
    for (index, id) in ids.iter().enumerate() {
        if world.security_groups.contains_key(id) {
            continue;
        }
        world.groups_made += 1;
        let (name, description) = if index == 0 {
            (DEFAULT_NAME.to_owned(), "default VPC security group".into())
        } else {
            (id.clone(), "A security group of the simulator".into())
        };
        let group = SecurityGroup {
            id: id.clone(),
            ordinal: world.groups_made,
            name,
            description,
            tags: Tags::new(),
            rules: Vec::new(),
            described_from: Timestamp::MIN,
            changeable_from: Timestamp::MIN,
            seeded: true,
        };
        world.security_groups.insert(id.clone(), group);
        world.touch();
    }
}

/// Checks the groups that a launch names.
pub(super) fn check_for_launch(call: &Call<'_>, wanted: &[String]) -> Result<(), ApiError> {
    for id in wanted {
        check_shape(id)?;
        if !is_changeable(call, id) {
            return Err(not_found(format!(
                "'{id}' does not exist in VPC '{VPC_ID}'"
            )));
        }
    }
    if wanted.len() > MAX_PER_INTERFACE {
        return Err(ApiError::client(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        ));
    }
    Ok(())
}

/// The groups of an instance: ids and names. Those that it was launched with, or the VPC's own.
pub(super) fn of_instance(world: &World, instance: &Instance) -> Vec<(String, String)> {
    let named = |id: &String| {
        let name = world.security_groups.get(id).map(|g| g.name.clone());
        (id.clone(), name.unwrap_or_else(|| id.clone()))
    };
    match instance.spec.groups() {
        [] => default_group(world).iter().map(named).collect(),
        some => some.iter().map(named).collect(),
    }
}

fn default_group(world: &World) -> Option<String> {
    let mut groups = world.security_groups.values();
    groups
        .find(|g| g.seeded && g.name == DEFAULT_NAME)
        .map(|g| g.id.clone())
}

/// Whether an instance that is not terminated has the group.
fn is_used(call: &Call<'_>, id: &str) -> bool {
    let mut instances = call.world.instances.values();
    instances.any(|instance| {
        instance.state(call.now) != State::Terminated
            && instance.spec.groups().iter().any(|group| group == id)
    })
}

/// Whether calls that use or change a group know it already.
pub(super) fn is_changeable(call: &Call<'_>, id: &str) -> bool {
    let group = call.world.security_groups.get(id);
    group.is_some_and(|group| group.changeable_from <= call.now)
}

fn check_shape(id: &str) -> Result<(), ApiError> {
    if ids::is_resource(id, PREFIX) {
        Ok(())
    } else {
        Err(errors::malformed("InvalidGroupId.Malformed", id))
    }
}

/// `what` follows the words "The security group".
fn not_found(what: impl std::fmt::Display) -> ApiError {
    ApiError::client(
        "InvalidGroup.NotFound",
        format!("The security group {what}"),
    )
}
