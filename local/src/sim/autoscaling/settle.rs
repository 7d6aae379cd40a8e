//! What groups do by themselves, brought up to an instant: each thing happens at its own time, in order.
//!
//! Nothing runs in the background: whoever looks at the simulator first lets its groups do what fell due meanwhile. On
//! a manual clock that jumped, a launch in between lies where it belongs, and what followed from it, too.

use jiff::Timestamp;

use super::activity::Status;
use super::group::ScalingGroup;
use super::member::Lifecycle;
use super::notice::{Notice, NoticeKind};
use super::process::Process;
use super::retire::{Cause, finish, replace, retire};
use super::scale;
use crate::sim::instance::{State, Transition};
use crate::sim::state::{Call, World};

/// Lets all groups do what is due by the call's instant.
pub(in crate::sim) fn settle(call: &mut Call<'_>) {
    let (now, wall) = (call.now, call.wall);
    while let Some((name, at)) = first_due(call.world).filter(|(_, at)| *at <= now) {
        call.now = at;
        call.wall = wall.saturating_add(at.duration_since(now)).unwrap_or(wall);
        with(call, &name, step);
    }
    (call.now, call.wall) = (now, wall);
}

/// When a group does something next, as far as is known now.
pub(in crate::sim) fn next(world: &World) -> Option<Timestamp> {
    first_due(world).map(|(_, at)| at)
}

/// A timeline was changed from outside: the instance's group has to look at it.
pub(in crate::sim) fn disturbed(world: &mut World, instance_id: &str) {
    let instance = world.instances.get(instance_id);
    for group in world.scaling_groups.values_mut() {
        group.schedule(instance_id, instance);
    }
}

/// Puts what is not kept of groups that were read from a file.
pub(in crate::sim) fn wake(world: &mut World) {
    let World {
        instances,
        scaling_groups,
        ..
    } = world;
    for group in scaling_groups.values_mut() {
        let active = group.members.values().filter(|m| m.counts()).count();
        group.active = u32::try_from(active).unwrap_or(u32::MAX);
        for id in group.members.keys().cloned().collect::<Vec<_>>() {
            group.schedule(&id, instances.get(&id));
        }
    }
}

/// Lets a group compare what it has with what it should have, after somebody changed either.
pub(super) fn reconsider(call: &mut Call<'_>, name: &str) {
    with(call, name, scale::balance);
}

/// As [`reconsider`], after processes were resumed: what they left undone is done now.
pub(super) fn resumed(call: &mut Call<'_>, name: &str) {
    with(call, name, |call, group| {
        for id in group.members.keys().cloned().collect::<Vec<_>>() {
            check_health(call, group, &id);
            let instance = call.world.instances.get(&id);
            group.schedule(&id, instance);
        }
        scale::balance(call, group);
    });
}

/// Lets `act` work on a group, taken out of the world meanwhile.
pub(super) fn with(
    call: &mut Call<'_>,
    name: &str,
    act: impl FnOnce(&mut Call<'_>, &mut ScalingGroup),
) {
    let Some(mut group) = call.world.scaling_groups.remove(name) else {
        return;
    };
    act(call, &mut group);
    if !(group.deleting && group.members.is_empty()) {
        call.world.scaling_groups.insert(name.to_owned(), group);
    }
    call.world.touch();
}

fn first_due(world: &World) -> Option<(String, Timestamp)> {
    let due = world
        .scaling_groups
        .values()
        .filter_map(|group| Some((group, group.due()?)));
    let (group, at) = due.min_by_key(|(_, at)| *at)?;
    Some((group.name.clone(), at))
}

/// Everything that is due in a group at the call's instant. Members are counted once for all of them, so that ten
/// thousand that come into service together cost ten thousand steps, not their square.
fn step(call: &mut Call<'_>, group: &mut ScalingGroup) {
    for id in group.take_due(call.now) {
        look(call, group, &id);
    }
    if group.launch_at.is_some_and(|at| at <= call.now) {
        group.launch_at = None;
        scale::launch(call, group);
    }
    scale::balance(call, group);
}

/// Heeds what became of a member since it was looked at last.
fn look(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str) {
    while let Some(member) = group.members.get_mut(id) {
        let timeline = call.world.instances.get(id).map(|i| &i.timeline);
        let next = timeline.and_then(|timeline| timeline.get(member.seen));
        let Some(transition) = next.filter(|t| t.at <= call.now).cloned() else {
            break;
        };
        member.seen += 1;
        heed(call, group, id, &transition);
    }
    let now = call.now;
    let expired = group
        .members
        .get(id)
        .and_then(|member| group.expiry(member))
        .is_some_and(|at| at <= now);
    // Terminated without a replacement, the group would shrink below what it should have.
    if expired && group.runs(Process::Terminate) && group.runs(Process::Launch) {
        retire(call, group, id, Cause::Lifetime);
    }
    group.schedule_after(id, call.world.instances.get(id), now);
}

fn heed(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str, transition: &Transition) {
    let Some(lifecycle) = group.members.get(id).map(|member| member.lifecycle) else {
        return;
    };
    match (lifecycle, transition.state) {
        (Lifecycle::Pending, State::Running) => enter_service(call, group, id),
        (Lifecycle::Pending, State::Pending) => {}
        (Lifecycle::Pending, _) => lose_at_launch(call, group, id, transition),
        (Lifecycle::InService, _) => check_health(call, group, id),
        (Lifecycle::Terminating, State::Terminated) => finish(call, group, id),
        (Lifecycle::Terminating, _) => {}
    }
}

fn enter_service(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str) {
    let Some(member) = group.members.get_mut(id) else {
        return;
    };
    member.lifecycle = Lifecycle::InService;
    group.failures = 0;
    if let Some(activity) = member.activity.take() {
        let activity = activity.ended(Status::Successful, None, call.wall);
        Notice::send(call, group, NoticeKind::Launched, Some(id), &activity);
        group.remember(activity);
    }
}

/// An instance that ends before it is in service leaves the group whatever is suspended: it never served. Its launch
/// counts as failed, so that a template that cannot boot is not tried again without a pause.
fn lose_at_launch(
    call: &mut Call<'_>,
    group: &mut ScalingGroup,
    id: &str,
    transition: &Transition,
) {
    let Some(member) = group.members.remove(id) else {
        return;
    };
    group.active = group.active.saturating_sub(1);
    let reason = transition.reason.as_ref().map(|r| r.message.as_str());
    let message = format!(
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {}",
        reason.unwrap_or_default()
    );
    if let Some(mut activity) = member.activity {
        activity.description = format!("{}.  Status Reason: {message}", activity.description);
        let activity = activity.ended(Status::Cancelled, Some(message), call.wall);
        Notice::send(call, group, NoticeKind::LaunchFailed, Some(id), &activity);
        group.remember(activity);
    }
    scale::back_off(call, group);
}

/// What is in service but does not run is unhealthy, and replaced. With `HealthCheck` suspended it is not noticed; with
/// `ReplaceUnhealthy` (or `Terminate`, which that calls) suspended it stays in the group as unhealthy, even when it is
/// terminated, and counts as an instance until the process is resumed (Amazon EC2 Auto Scaling user guide, "How
/// suspended processes affect other processes").
fn check_health(call: &mut Call<'_>, group: &mut ScalingGroup, id: &str) {
    let instance = call.world.instances.get(id);
    let runs = instance.is_some_and(|i| i.state(call.now) == State::Running);
    let checks = group.runs(Process::HealthCheck);
    let Some(member) = group.members.get_mut(id) else {
        return;
    };
    if member.lifecycle != Lifecycle::InService {
        return;
    }
    if !runs && checks {
        member.healthy = false;
    }
    if !member.healthy {
        replace(call, group, id);
    }
}
