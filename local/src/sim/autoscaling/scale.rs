//! Bringing a group to its desired capacity: launches balanced over its zones, and terminations of what is too much.

use std::collections::BTreeMap;
use std::time::Duration;

use super::activity::{Activity, Status, instant};
use super::group::{Place, ScalingGroup};
use super::member::{Lifecycle, Member};
use super::notice::{Notice, NoticeKind};
use super::process::Process;
use super::retire::{Cause, retire};
use crate::sim::answer::ApiError;
use crate::sim::clock::after;
use crate::sim::ec2::{self, Params};
use crate::sim::instance::Tags;
use crate::sim::state::Call;

/// The wait after a launch that failed; each further one waits twice as long, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(15);
const LONGEST_RETRY: Duration = Duration::from_hours(1);

/// Plans the launch of what is missing, and terminates what is too much.
pub(super) fn balance(call: &mut Call<'_>, group: &mut ScalingGroup) {
    if group.active < group.sizes.desired && group.runs(Process::Launch) && !group.deleting {
        let soon = after(call.now, call.config.asg_launch_delay);
        group.launch_at.get_or_insert(soon);
        return;
    }
    group.launch_at = None;
    if group.active > group.sizes.desired && group.runs(Process::Terminate) && !group.deleting {
        for id in surplus(group) {
            retire(call, group, &id, Cause::ScaleIn);
        }
    }
}

/// Puts the next launch off, the longer the more have failed. What fails at one instant is one failure.
pub(super) fn back_off(call: &Call<'_>, group: &mut ScalingGroup) {
    if group.launch_at.is_some_and(|at| at > call.now) {
        return;
    }
    let doubled = FIRST_RETRY.saturating_mul(1 << group.failures.min(16));
    group.failures = group.failures.saturating_add(1);
    group.launch_at = Some(after(call.now, doubled.min(LONGEST_RETRY)));
}

/// Whom a scale-in takes: unprotected ones in service, the oldest of the zone that has most, until the group has what
/// it should have or all that are left are protected.
fn surplus(group: &ScalingGroup) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut willing: BTreeMap<&str, Vec<(u64, &String)>> = BTreeMap::new();
    for (id, member) in group.members.iter().filter(|(_, m)| m.counts()) {
        *counts.entry(&member.zone).or_default() += 1;
        if member.lifecycle == Lifecycle::InService && !member.protected {
            let of_zone = willing.entry(&member.zone).or_default();
            of_zone.push((member.ordinal, id));
        }
    }
    for of_zone in willing.values_mut() {
        // The oldest last, to be taken from there.
        of_zone.sort_by(|a, b| b.cmp(a));
    }
    let mut chosen = Vec::new();
    for _ in group.sizes.desired..group.active {
        let fullest = willing
            .iter_mut()
            .filter(|(_, of_zone)| !of_zone.is_empty())
            .max_by_key(|(zone, _)| counts.get(**zone).copied());
        let Some((zone, of_zone)) = fullest else {
            break;
        };
        chosen.extend(of_zone.pop().map(|(_, id)| id.clone()));
        counts.entry(*zone).and_modify(|count| *count -= 1);
    }
    chosen
}

/// Launches what is missing. What finds no room in its zone is tried in the others; what finds none at all is a failed
/// activity, and tried again later.
pub(super) fn launch(call: &mut Call<'_>, group: &mut ScalingGroup) {
    let wanted = group.sizes.desired.saturating_sub(group.active);
    if wanted == 0 || !group.runs(Process::Launch) || group.deleting {
        return;
    }
    let capacity = (group.active, group.sizes.desired);
    let (mut missing, mut refusal) = (wanted, None);
    let mut shares = shares(group, wanted);
    while missing > 0 && !shares.is_empty() {
        // Where there was room there may be more, for what the others have none for.
        let mut open = Vec::new();
        for (place, share) in shares {
            match launch_in(call, group, &place, share.min(missing), capacity) {
                Ok(launched) => {
                    missing -= launched.min(missing);
                    open.push(place);
                }
                Err(error) => refusal = Some((place, error)),
            }
        }
        shares = open.into_iter().map(|place| (place, missing)).collect();
    }
    if let Some((place, error)) = refusal.filter(|_| missing > 0) {
        fail(call, group, &place, &error, capacity);
    }
}

/// How many of `wanted` go to which subnet: each to the zone that has fewest by then.
fn shares(group: &ScalingGroup, wanted: u32) -> Vec<(Place, u32)> {
    let mut zones: BTreeMap<&str, u32> = BTreeMap::new();
    let mut subnets: BTreeMap<&str, u32> = BTreeMap::new();
    for member in group.members.values().filter(|m| m.counts()) {
        *zones.entry(&member.zone).or_default() += 1;
        *subnets.entry(&member.subnet_id).or_default() += 1;
    }
    let mut shares: Vec<(Place, u32)> = group.places.iter().map(|p| (p.clone(), 0)).collect();
    for _ in 0..wanted {
        let there = |of: &BTreeMap<&str, u32>, key: &str| of.get(key).copied().unwrap_or(0);
        let emptiest = shares
            .iter_mut()
            .zip(&group.places)
            .min_by_key(|(_, p)| (there(&zones, &p.zone), there(&subnets, &p.subnet_id)));
        if let Some(((_, share), place)) = emptiest {
            *share += 1;
            *zones.entry(&place.zone).or_default() += 1;
            *subnets.entry(&place.subnet_id).or_default() += 1;
        }
    }
    shares.retain(|(_, share)| *share > 0);
    shares
}

/// Launches up to `count` in a subnet and answers how many, or what EC2 said.
fn launch_in(
    call: &mut Call<'_>,
    group: &mut ScalingGroup,
    place: &Place,
    count: u32,
    capacity: (u32, u32),
) -> Result<u32, ApiError> {
    if count == 0 {
        return Ok(0);
    }
    let launched = ec2::launch_for_group(call, &request(group, place), &tags(group), count)?;
    let at = instant(call.wall);
    for id in &launched {
        let Some(instance) = call.world.instances.get(id) else {
            continue;
        };
        let mut member = Member::new(instance, group.settings.protects_new, call.now);
        let description = format!("Launching a new EC2 instance: {id}");
        let activity = Activity::new(
            group.next_number(),
            description,
            cause(&at, capacity),
            call.wall,
        );
        member.activity = Some(activity.at(&member));
        group.members.insert(id.clone(), member);
        group.active += 1;
        group.schedule(id, Some(instance));
    }
    Ok(u32::try_from(launched.len()).unwrap_or(u32::MAX))
}

/// The launch as parameters of RunInstances: what faults of machines are matched against.
fn request(group: &ScalingGroup, place: &Place) -> Params {
    let version = group.template.version.clone();
    let pairs = [
        ("AutoScalingGroupName", group.name.clone()),
        ("LaunchTemplate.LaunchTemplateId", group.template.id.clone()),
        ("LaunchTemplate.Version", version.unwrap_or_default()),
        ("SubnetId", place.subnet_id.clone()),
    ];
    Params::new(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// The tags that a group's instances get beside those of the template.
fn tags(group: &ScalingGroup) -> Tags {
    let propagated = group.tags.iter().filter(|tag| tag.propagate);
    let mut tags: Tags = propagated
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect();
    tags.insert("aws:autoscaling:groupName".into(), group.name.clone());
    tags
}

fn cause(at: &str, (from, to): (u32, u32)) -> String {
    format!(
        "At {at} an instance was started in response to a difference between desired and actual capacity, increasing \
         the capacity from {from} to {to}."
    )
}

fn fail(
    call: &mut Call<'_>,
    group: &mut ScalingGroup,
    place: &Place,
    error: &ApiError,
    capacity: (u32, u32),
) {
    let message = format!("{} Launching EC2 instance failed.", error.message);
    let description = format!("Launching a new EC2 instance.  Status Reason: {message}");
    let cause = cause(&instant(call.wall), capacity);
    let mut activity = Activity::new(group.next_number(), description, cause, call.wall);
    activity.place = Some((place.subnet_id.clone(), place.zone.clone()));
    let activity = activity.ended(Status::Failed, Some(message), call.wall);
    Notice::send(call, group, NoticeKind::LaunchFailed, None, &activity);
    group.remember(activity);
    back_off(call, group);
}
