//! What EC2 and Auto Scaling would send to EventBridge: changes of instances' states, warnings of spot interruptions, and
//! how launches and terminations of groups ended.
//!
//! EC2's events follow from the instances' timelines, Auto Scaling's are noted when they happen: each becomes due when
//! the clock reaches it, and is given out once.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::autoscaling::{self, Notice, NoticeKind};
use super::clock::Clock;
use super::config::{ACCOUNT_ID, REGION};
use super::ids;
use super::instance::Instance;
use super::server::Shared;
use super::state::World;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same whenever this event is made again.
    pub id: String,
    /// The simulated instant at which it is sent.
    pub at: Timestamp,
    /// The same instant as callers are told it.
    pub time: Timestamp,
    /// The instance; empty for a launch by a group that came to none.
    pub instance_id: String,
    /// What it is about.
    pub kind: EventKind,
    zone: String,
    /// What Auto Scaling says.
    notice: Option<Box<Notice>>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The instance is in another state now: EC2's name of it.
    State(&'static str),
    /// EC2 takes a spot instance back in two minutes.
    SpotInterruption,
    /// An Auto Scaling group launched the instance, and it is in service.
    GroupLaunch,
    /// An Auto Scaling group could not launch an instance, or lost it before it was in service.
    GroupLaunchFailure,
    /// An Auto Scaling group terminated the instance.
    GroupTermination,
}

impl From<NoticeKind> for EventKind {
    fn from(kind: NoticeKind) -> Self {
        match kind {
            NoticeKind::Launched => Self::GroupLaunch,
            NoticeKind::LaunchFailed => Self::GroupLaunchFailure,
            NoticeKind::Terminated => Self::GroupTermination,
        }
    }
}

impl Event {
    /// The event as EventBridge gives it to a Lambda function.
    pub fn body(&self) -> Value {
        let (source, detail_type, resources, detail) = match &self.notice {
            Some(notice) => (
                "aws.autoscaling",
                notice.kind.detail_type(),
                notice.resources.clone(),
                notice.detail.clone(),
            ),
            None => self.of_ec2(),
        };
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT_ID,
            "time": self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION,
            "resources": resources,
            "detail": detail,
        })
    }

    fn of_ec2(&self) -> (&'static str, &'static str, Vec<String>, Value) {
        let id = &self.instance_id;
        // In warnings the ARN has a zone and no account.
        let (detail_type, arn, detail) = if let EventKind::State(state) = self.kind {
            (
                "EC2 Instance State-change Notification",
                format!("arn:aws:ec2:{REGION}:{ACCOUNT_ID}:instance/{id}"),
                json!({ "instance-id": id, "state": state }),
            )
        } else {
            (
                "EC2 Spot Instance Interruption Warning",
                format!("arn:aws:ec2:{}:instance/{id}", self.zone),
                json!({ "instance-id": id, "instance-action": "terminate" }),
            )
        };
        ("aws.ec2", detail_type, vec![arn], detail)
    }

    /// The Auto Scaling group that an event of Auto Scaling is about.
    pub fn group(&self) -> Option<&str> {
        self.notice.as_ref()?.detail["AutoScalingGroupName"].as_str()
    }
}

/// Gives out the events that are due by `until`, in the order of their instants; none of the future.
pub(super) fn take_due(world: &mut World, clock: &Clock, until: Timestamp) -> Vec<Event> {
    let (now, wall) = (clock.now(), clock.wall());
    let until = until.min(now);
    let told = |at: Timestamp| wall.saturating_add(at.duration_since(now)).unwrap_or(wall);
    let mut due: Vec<(u64, Event)> = Vec::new();
    for instance in world.instances.values_mut() {
        let mut give = |instance: &Instance, at: Timestamp, kind, what: &str| {
            let event = Event {
                id: ids::uuid_of(&format!("{}/{what}", instance.id)),
                at,
                time: told(at),
                instance_id: instance.id.clone(),
                kind,
                zone: instance.zone.clone(),
                notice: None,
            };
            due.push((instance.ordinal, event));
        };
        if let Some(at) = instance.interrupted_at.filter(|at| *at <= until)
            && !instance.warned
        {
            instance.warned = true;
            give(instance, at, EventKind::SpotInterruption, "warning");
        }
        while let Some(change) = instance
            .timeline
            .get(instance.told)
            .filter(|t| t.at <= until)
        {
            let (at, kind) = (change.at, EventKind::State(change.state.name()));
            give(instance, at, kind, &instance.told.to_string());
            instance.told += 1;
        }
    }
    // They are in the order of their instants.
    let until_then = world.notices.partition_point(|notice| notice.at <= until);
    for notice in world.notices.drain(..until_then) {
        let instance = world.instances.get(&notice.instance_id);
        let ordinal = instance.map_or(u64::MAX, |instance| instance.ordinal);
        due.push((ordinal, of_group(notice, told)));
    }
    if !due.is_empty() {
        world.touch();
    }
    // A stable sort: what happens to one instance at one instant stays in order.
    due.sort_by_key(|(ordinal, event)| (event.at, *ordinal));
    due.into_iter().map(|(_, event)| event).collect()
}

fn of_group(notice: Notice, told: impl Fn(Timestamp) -> Timestamp) -> Event {
    Event {
        id: notice.id.clone(),
        at: notice.at,
        time: told(notice.at),
        instance_id: notice.instance_id.clone(),
        kind: notice.kind.into(),
        zone: String::new(),
        notice: Some(Box::new(notice)),
    }
}

/// When the next event is due, as far as is known now; in the past if it was not given out yet. What a group does next
/// counts, too: events come of it.
pub(super) fn next(world: &World) -> Option<Timestamp> {
    let of = |instance: &Instance| {
        let change = instance.timeline.get(instance.told).map(|t| t.at);
        let warning = instance.interrupted_at.filter(|_| !instance.warned);
        change.into_iter().chain(warning).min()
    };
    let noted = world.notices.front().map(|notice| notice.at);
    let events = world.instances.values().filter_map(of);
    events.chain(noted).chain(autoscaling::next(world)).min()
}

/// Events as they become due, for whoever delivers them while the clock runs.
pub struct EventStream {
    shared: Arc<Shared>,
    changes: watch::Receiver<()>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            changes: shared.changes(),
        }
    }

    /// Waits for the next events; `None` once the simulator closes. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Vec<Event>> {
        let clock = &self.shared.config.clock;
        loop {
            // Before looking, so that a change meanwhile is not missed.
            self.changes.borrow_and_update();
            let (due, next) = {
                let world = &mut self.shared.settled().world;
                (take_due(world, clock, clock.now()), next(world))
            };
            if !due.is_empty() {
                return Some(due);
            }
            // The sender lives in `shared`, so that waiting for a change cannot fail here.
            tokio::select! {
                () = self.shared.closed() => return None,
                _ = self.changes.changed() => {}
                () = clock.reached(next.unwrap_or(Timestamp::MAX)) => {}
            }
        }
    }
}
