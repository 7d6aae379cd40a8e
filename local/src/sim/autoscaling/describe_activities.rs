//! DescribeScalingActivities: the newest first.

use super::activity::Activity;
use super::errors;
use super::group::ScalingGroup;
use super::paging::{self, Limits};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

const ACTIVITIES: Limits = Limits {
    usual: 100,
    most: 100,
};

pub(super) fn describe_scaling_activities(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let ids = params.list("ActivityIds.member");
    let groups = &call.world.scaling_groups;
    let groups: Vec<&ScalingGroup> = match params.get("AutoScalingGroupName") {
        None => groups.values().collect(),
        Some(name) => vec![groups.get(name).ok_or_else(|| errors::no_group(name))?],
    };
    let mut activities: Vec<(&ScalingGroup, &Activity)> = groups
        .iter()
        .flat_map(|group| all_of(group).map(|activity| (*group, activity)))
        .filter(|(_, activity)| ids.is_empty() || ids.contains(&activity.id))
        .collect();
    activities.sort_by_key(|(_, activity)| std::cmp::Reverse((activity.start, activity.number)));
    // What begins between two pages must not move the others; across groups there is no such number.
    let one_group = groups.len() == 1;
    let numbered = (1..).zip(activities).map(|(place, (group, activity))| {
        let number = if one_group {
            u64::MAX - activity.number
        } else {
            place
        };
        (number, (group, activity))
    });
    paging::write(
        params,
        "Activities",
        ACTIVITIES,
        numbered,
        |xml, (group, activity)| activity.write(xml, &group.name, &group.arn),
    )
}

/// Those that have ended, and those of the members.
fn all_of(group: &ScalingGroup) -> impl Iterator<Item = &Activity> {
    let running = group.members.values().filter_map(|m| m.activity.as_ref());
    group.history.iter().chain(running)
}
