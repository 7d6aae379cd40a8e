//! SetDesiredCapacity and TerminateInstanceInAutoScalingGroup.

use super::errors::{needed, no_instance, parsed, required, validation};
use super::group::ScalingGroup;
use super::member::Lifecycle;
use super::retire::{Cause, retire};
use super::{find, scale, settle};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

/// The cooldown is never in the way: there are no scaling policies whose activities would begin one.
pub(super) fn set_desired_capacity(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let wanted: u32 = needed(params, "DesiredCapacity")?;
    parsed::<bool>(params, "HonorCooldown")?;
    let group = find::named(call, params)?;
    let (min, max) = (group.sizes.min, group.sizes.max);
    if wanted > max {
        return Err(validation(format!(
            "New SetDesiredCapacity value {wanted} is above max value {max} for the AutoScalingGroup."
        )));
    }
    if wanted < min {
        return Err(validation(format!(
            "New SetDesiredCapacity value {wanted} is below min value {min} for the AutoScalingGroup."
        )));
    }
    group.sizes.desired = wanted;
    try_anew(group);
    let name = group.name.clone();
    settle::reconsider(call, &name);
    Ok(Xml::default())
}

/// After somebody changed a group, launches that failed are not waited for any more.
pub(super) fn try_anew(group: &mut ScalingGroup) {
    if group.failures > 0 {
        group.failures = 0;
        group.launch_at = None;
    }
}

/// An instance that is being terminated already is not counted twice: the first activity is answered again. Protection
/// from scale-in does not keep an instance from this.
pub(super) fn terminate_instance(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let id = required(params, "InstanceId")?;
    let shrinks: bool = needed(params, "ShouldDecrementDesiredCapacity")?;
    let unknown = || no_instance(id);
    let name = find::group_of(call.world, id)
        .ok_or_else(unknown)?
        .to_owned();
    let group = call.world.scaling_groups.get_mut(&name);
    let group = group.ok_or_else(unknown)?;
    let member = group.members.get(id).ok_or_else(unknown)?;
    if member.lifecycle == Lifecycle::Terminating {
        return Ok(activity_of(group, id));
    }
    let min = group.sizes.min;
    if shrinks && group.sizes.desired <= min {
        return Err(validation(format!(
            "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement will violate \
             group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min \
             size."
        )));
    }
    let mut answer = Xml::default();
    settle::with(call, &name, |call, group| {
        if shrinks {
            group.sizes.desired -= 1;
        }
        retire(call, group, id, Cause::User { shrinks });
        answer = activity_of(group, id);
        scale::balance(call, group);
    });
    Ok(answer)
}

/// What is being done to an instance; of one that is gone already, what was done last.
fn activity_of(group: &ScalingGroup, id: &str) -> Xml {
    let member = group.members.get(id);
    let running = member.and_then(|member| member.activity.as_ref());
    let mut xml = Xml::default();
    if let Some(activity) = running.or(group.history.back()) {
        xml.element("Activity", |xml| {
            activity.write(xml, &group.name, &group.arn);
        });
    }
    xml
}
