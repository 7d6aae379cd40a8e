//! Amazon EC2 Auto Scaling: groups that launch, watch, protect and terminate instances. Query protocol in, XML out.
//!
//! What is simulated is what a control plane sees: sizes, members and their lifecycle, protection, suspended processes,
//! activities and events. Warm pools, lifecycle hooks, scaling policies, load balancers, instance refreshes and the
//! rebalancing of zones (`AZRebalance` is only kept as suspended or not) are not.

mod activity;
mod capacity;
mod create;
mod describe;
mod describe_activities;
mod envelope;
mod errors;
mod find;
mod group;
mod member;
mod notice;
mod paging;
mod process;
mod protection;
mod read;
mod retire;
mod scale;
mod seed;
mod settle;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub(super) use envelope::{error_response, response};
pub(super) use group::ScalingGroup;
pub(super) use notice::{Notice, NoticeKind};
pub(super) use seed::seed;
pub(super) use settle::{disturbed, next, settle, wake};
pub(super) use view::views;
pub use view::{GroupInstanceView, GroupView};

use super::answer::{Action, ApiError};
use super::ec2::{Params, Xml};
use super::state::Call;

/// The version parameter of Auto Scaling's API.
pub(super) const VERSION: &str = "2011-01-01";

/// An action of Auto Scaling.
pub(super) type ScalingAction = Action<Params, Xml>;

/// Parameters of every request.
const COMMON: [&str; 2] = ["Action", "Version"];

/// The actions imitated.
pub(super) const ACTIONS: &[ScalingAction] = &[
    Action {
        name: "DescribeAutoScalingGroups",
        parameters: &["AutoScalingGroupNames", "MaxRecords", "NextToken"],
        run: describe::describe_groups,
    },
    Action {
        name: "DescribeAutoScalingInstances",
        parameters: &["InstanceIds", "MaxRecords", "NextToken"],
        run: describe::describe_instances,
    },
    Action {
        name: "DescribeScalingActivities",
        parameters: &[
            "AutoScalingGroupName",
            "ActivityIds",
            "MaxRecords",
            "NextToken",
        ],
        run: describe_activities::describe_scaling_activities,
    },
    Action {
        name: "SetDesiredCapacity",
        parameters: &["AutoScalingGroupName", "DesiredCapacity", "HonorCooldown"],
        run: capacity::set_desired_capacity,
    },
    Action {
        name: "TerminateInstanceInAutoScalingGroup",
        parameters: &["InstanceId", "ShouldDecrementDesiredCapacity"],
        run: capacity::terminate_instance,
    },
    Action {
        name: "SetInstanceProtection",
        parameters: &[
            "AutoScalingGroupName",
            "InstanceIds",
            "ProtectedFromScaleIn",
        ],
        run: protection::set_instance_protection,
    },
    Action {
        name: "SuspendProcesses",
        parameters: &["AutoScalingGroupName", "ScalingProcesses"],
        run: process::suspend_processes,
    },
    Action {
        name: "ResumeProcesses",
        parameters: &["AutoScalingGroupName", "ScalingProcesses"],
        run: process::resume_processes,
    },
    Action {
        name: "UpdateAutoScalingGroup",
        parameters: read::PARAMETERS,
        run: update::update_group,
    },
    Action {
        name: "CreateAutoScalingGroup",
        parameters: create::PARAMETERS,
        run: create::create_group,
    },
    Action {
        name: "DeleteAutoScalingGroup",
        parameters: &["AutoScalingGroupName", "ForceDelete"],
        run: create::delete_group,
    },
];

/// The action of that name.
pub(super) fn action(name: &str) -> Option<&'static ScalingAction> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Checks what all actions have in common, then does what `action` does.
pub(super) fn perform(
    action: &ScalingAction,
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    for (name, _) in params.iter() {
        let top = name.split('.').next().unwrap_or(name);
        if !COMMON.contains(&top) && !action.parameters.contains(&top) {
            return Err(errors::validation(format!(
                "The parameter {top} is not recognized"
            )));
        }
    }
    (action.run)(call, params)
}
