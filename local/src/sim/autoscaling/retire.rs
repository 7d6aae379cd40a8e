//! How an instance leaves its group: terminated by it, for whatever cause.

use super::activity::{Activity, Status, instant};
use super::group::ScalingGroup;
use super::member::Lifecycle;
use super::notice::{Notice, NoticeKind};
use super::process::Process;
use crate::sim::instance::State;
use crate::sim::lifecycle;
use crate::sim::state::Call;

/// Why an instance is taken out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody named it; whether the group shrinks by it.
    User { shrinks: bool },
    /// The group has too many.
    ScaleIn,
    /// It is unhealthy.
    Health,
    /// It has served its time.
    Lifetime,
    /// Its group is deleted.
    Deletion,
}

impl Cause {
    fn text(self, id: &str, at: &str, from: u32) -> String {
        let shrinking = format!(
            "shrinking the capacity from {from} to {}.",
            from.saturating_sub(1)
        );
        match self {
            Self::User { shrinks: true } => format!(
                "At {at} instance {id} was taken out of service in response to a user request, {shrinking}"
            ),
            Self::User { shrinks: false } => format!(
                "At {at} instance {id} was taken out of service in response to a user request."
            ),
            Self::ScaleIn | Self::Deletion => format!(
                "At {at} an instance was taken out of service in response to a difference between desired and actual \
                 capacity, {shrinking}  At {at} instance {id} was selected for termination."
            ),
            Self::Health => format!(
                "At {at} an instance was taken out of service in response to an EC2 health check indicating it has \
                 been terminated or stopped."
            ),
            Self::Lifetime => format!(
                "At {at} an instance was taken out of service in response to its maximum instance lifetime being \
                 reached."
            ),
        }
    }
}

/// Terminates a member. It counts no more from now on, and is gone once its instance is.
pub(super) fn retire(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str, cause: Cause) {
    let (from, number) = (group.active, group.next_number());
    let Some(member) = group.members.get_mut(id).filter(|m| m.counts()) else {
        return;
    };
    let text = cause.text(id, &instant(call.wall), from);
    let description = format!("Terminating EC2 instance: {id}");
    let begun = Activity::new(number, description, text, call.wall).at(member);
    member.lifecycle = Lifecycle::Terminating;
    let launching = member.activity.replace(begun);
    group.active = from.saturating_sub(1);
    if let Some(launching) = launching {
        group.remember(launching.ended(Status::Cancelled, None, call.wall));
    }
    let instance = call.world.instances.get_mut(id);
    let gone = instance
        .as_ref()
        .is_none_or(|i| i.state(call.now) == State::Terminated);
    if let Some(instance) = instance.filter(|i| !i.state(call.now).is_ending()) {
        lifecycle::terminate(instance, call.now, call.config);
    }
    if gone {
        finish(call, group, id);
    }
    group.schedule(id, call.world.instances.get(id));
}

/// Replaces an unhealthy member: it is terminated, and then missed.
pub(super) fn replace(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str) {
    if group.runs(Process::ReplaceUnhealthy) && group.runs(Process::Terminate) {
        retire(call, group, id, Cause::Health);
    }
}

/// A member's instance has ended.
pub(super) fn finish(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str) {
    let Some(activity) = group.members.remove(id).and_then(|member| member.activity) else {
        return;
    };
    let activity = activity.ended(Status::Successful, None, call.wall);
    Notice::send(call, group, NoticeKind::Terminated, Some(id), &activity);
    group.remember(activity);
}
