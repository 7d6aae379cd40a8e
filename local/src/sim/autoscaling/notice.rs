//! What Auto Scaling would send to EventBridge: how launches and terminations ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::activity::{Activity, instant};
use super::group::ScalingGroup;
use crate::sim::config::{ACCOUNT_ID, REGION};
use crate::sim::ids;
use crate::sim::state::Call;

/// How many notices wait for somebody to take them. Where nobody ever does, they must not pile up.
const MOST: usize = 50_000;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) enum NoticeKind {
    Launched,
    LaunchFailed,
    Terminated,
}

impl NoticeKind {
    /// The event's `detail-type`.
    pub(in crate::sim) fn detail_type(self) -> &'static str {
        match self {
            Self::Launched => "EC2 Instance Launch Successful",
            Self::LaunchFailed => "EC2 Instance Launch Unsuccessful",
            Self::Terminated => "EC2 Instance Terminate Successful",
        }
    }
}

/// An event that was not given out yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) struct Notice {
    pub(in crate::sim) id: String,
    /// The simulated instant at which it is sent.
    pub(in crate::sim) at: Timestamp,
    pub(in crate::sim) kind: NoticeKind,
    /// Empty when no instance came of a launch.
    pub(in crate::sim) instance_id: String,
    pub(in crate::sim) resources: Vec<String>,
    pub(in crate::sim) detail: Value,
}

impl Notice {
    /// Puts an event about an activity that has just ended among those to be given out.
    pub(super) fn send(
        call: &mut Call<'_>,
        group: &ScalingGroup,
        kind: NoticeKind,
        instance_id: Option<&str>,
        activity: &Activity,
    ) {
        let instance_arn =
            instance_id.map(|id| format!("arn:aws:ec2:{REGION}:{ACCOUNT_ID}:instance/{id}"));
        let resources = [group.arn.clone()].into_iter().chain(instance_arn);
        let notices = &mut call.world.notices;
        if notices.len() == MOST {
            notices.pop_front();
        }
        notices.push_back(Self {
            id: ids::uuid_of(&format!("{}/{}", activity.id, kind.detail_type())),
            at: call.now,
            kind,
            instance_id: instance_id.unwrap_or_default().to_owned(),
            resources: resources.collect(),
            detail: detail(group, kind, instance_id.unwrap_or_default(), activity),
        });
    }
}

/// The fields that the user guide's "Amazon EC2 Auto Scaling event reference" shows.
fn detail(group: &ScalingGroup, kind: NoticeKind, instance_id: &str, activity: &Activity) -> Value {
    let status = match kind {
        NoticeKind::Launched | NoticeKind::Terminated => "InProgress",
        NoticeKind::LaunchFailed => "Failed",
    };
    let (origin, destination) = match kind {
        NoticeKind::Launched | NoticeKind::LaunchFailed => ("EC2", "AutoScalingGroup"),
        NoticeKind::Terminated => ("AutoScalingGroup", "EC2"),
    };
    json!({
        "StatusCode": status,
        "Description": activity.description,
        "AutoScalingGroupName": group.name,
        "ActivityId": activity.id,
        "Details": activity.details(),
        "RequestId": activity.id,
        "StatusMessage": activity.message.as_deref().unwrap_or_default(),
        "StartTime": instant(activity.start),
        "EndTime": instant(activity.end.unwrap_or(activity.start)),
        "EC2InstanceId": instance_id,
        "Cause": activity.cause,
        "Origin": origin,
        "Destination": destination,
    })
}
