//! Auto Scaling groups: what is kept of each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::activity::Activity;
use super::member::{Lifecycle, Member};
use super::process::Process;
use crate::sim::clock::after;
use crate::sim::config::{ACCOUNT_ID, REGION};
use crate::sim::ids;
use crate::sim::instance::Instance;

/// How many ended activities are remembered. AWS remembers those of six weeks.
const REMEMBERED: usize = 200;

/// How many instances a group has and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
}

/// The launch template of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    /// A number, `$Latest` or `$Default`.
    pub(super) version: Option<String>,
}

/// A tag of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupTag {
    pub(super) key: String,
    pub(super) value: String,
    /// New instances get it, too.
    pub(super) propagate: bool,
}

/// A subnet of a group, with its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) subnet_id: String,
    pub(super) zone: String,
}

/// What a group does beside having a size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) protects_new: bool,
    /// In seconds.
    pub(super) max_lifetime: Option<u32>,
    pub(super) health_check_type: String,
    pub(super) health_check_grace: u32,
    pub(super) default_cooldown: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protects_new: false,
            max_lifetime: None,
            health_check_type: "EC2".into(),
            health_check_grace: 0,
            default_cooldown: 300,
        }
    }
}

/// A group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct ScalingGroup {
    pub(super) name: String,
    pub(super) arn: String,
    /// As callers are told.
    pub(super) created: Timestamp,
    pub(super) template: Template,
    pub(super) sizes: Sizes,
    pub(super) places: Vec<Place>,
    pub(super) settings: Settings,
    pub(super) tags: Vec<GroupTag>,
    /// The reasons of the processes that are suspended.
    pub(super) suspended: BTreeMap<Process, String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Activities that have ended, oldest first.
    pub(super) history: VecDeque<Activity>,
    /// Activities ever begun.
    pub(super) activities: u64,
    /// When the missing instances are launched.
    pub(super) launch_at: Option<Timestamp>,
    /// Launches that failed since one succeeded.
    pub(super) failures: u32,
    /// It goes once its last instance has.
    pub(super) deleting: bool,
    /// How many members count towards the capacity.
    #[serde(skip)]
    pub(super) active: u32,
    /// When to look at which member; an entry too many does no harm.
    #[serde(skip)]
    pub(super) agenda: BTreeSet<(Timestamp, String)>,
}

impl ScalingGroup {
    pub(super) fn new(
        name: &str,
        template: Template,
        sizes: Sizes,
        places: Vec<Place>,
        created: Timestamp,
    ) -> Self {
        let id = ids::uuid();
        Self {
            name: name.to_owned(),
            arn: format!(
                "arn:aws:autoscaling:{REGION}:{ACCOUNT_ID}:autoScalingGroup:{id}:autoScalingGroupName/{name}"
            ),
            created,
            template,
            sizes,
            places,
            settings: Settings::default(),
            tags: Vec::new(),
            suspended: BTreeMap::new(),
            members: BTreeMap::new(),
            history: VecDeque::new(),
            activities: 0,
            launch_at: None,
            failures: 0,
            deleting: false,
            active: 0,
            agenda: BTreeSet::new(),
        }
    }

    /// Its zones, each once.
    pub(super) fn zones(&self) -> BTreeSet<&str> {
        self.places.iter().map(|p| p.zone.as_str()).collect()
    }

    /// Whether a process does its work.
    pub(super) fn runs(&self, process: Process) -> bool {
        !self.suspended.contains_key(&process)
    }

    /// When something is to be done next.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let look = self.agenda.first().map(|(at, _)| *at);
        look.into_iter().chain(self.launch_at).min()
    }

    /// The members to be looked at by `now`, each once.
    pub(super) fn take_due(&mut self, now: Timestamp) -> BTreeSet<String> {
        let mut due = BTreeSet::new();
        while self.agenda.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.agenda.pop_first().map(|(_, id)| id));
        }
        due
    }

    /// Notes when to look at a member: at its instance's next transition, and when it has served its time.
    pub(super) fn schedule(&mut self, id: &str, instance: Option<&Instance>) {
        self.schedule_after(id, instance, Timestamp::MIN);
    }

    /// As [`ScalingGroup::schedule`], for one that was looked at `now`: what could not be done is not tried again until
    /// something changes.
    pub(super) fn schedule_after(&mut self, id: &str, instance: Option<&Instance>, now: Timestamp) {
        let Some(member) = self.members.get(id) else {
            return;
        };
        let transition = instance.and_then(|i| i.timeline.get(member.seen));
        let looks = [transition.map(|t| t.at), self.expiry(member)];
        for at in looks.into_iter().flatten().filter(|at| *at > now) {
            self.agenda.insert((at, id.to_owned()));
        }
    }

    /// When a member in service has served its time.
    pub(super) fn expiry(&self, member: &Member) -> Option<Timestamp> {
        let lifetime = Duration::from_secs(self.settings.max_lifetime?.into());
        (member.lifecycle == Lifecycle::InService).then(|| after(member.launched, lifetime))
    }

    /// The number of an activity that begins.
    pub(super) fn next_number(&mut self) -> u64 {
        self.activities += 1;
        self.activities
    }

    /// Remembers an activity that has ended.
    pub(super) fn remember(&mut self, activity: Activity) {
        self.history.push_back(activity);
        if self.history.len() > REMEMBERED {
            self.history.pop_front();
        }
    }
}
