//! Notifications: what a change of a record is worth telling its owner, in words.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{machine::Machine, pool::claim::Claim, status::Status};

/// The longest subject SNS takes, in characters; it must be ASCII and begin with a letter or a digit.
const MAX_SUBJECT: usize = 100;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// A machine was asked for.
    Created,
    /// It came up.
    Ready,
    /// It did not come up.
    Failed,
    /// It came up again.
    Started,
    /// It was stopped.
    Stopped,
    /// It has ended.
    Terminated,
    /// EC2 takes the spot instance back.
    Interrupted,
    /// It ends soon by itself.
    Expiring,
}

impl NoticeKind {
    /// The word in subjects and in the message attribute `event`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
            Self::Interrupted => "interrupted",
            Self::Expiring => "expiring",
        }
    }
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// One line.
    pub subject: String,
    /// For people to read.
    pub body: String,
    /// For subscriptions to filter by: `event`, `machine_id`, `owner`, `source`, `market`.
    pub attributes: Vec<(&'static str, String)>,
}

/// What a write of a record is worth telling. `before` is the record it replaced.
pub fn notices(before: Option<&Machine>, after: &Machine) -> Vec<Notice> {
    if after.pool.is_some() {
        return before
            .and_then(|it| of_pool(it, after))
            .into_iter()
            .collect();
    }
    let mut kinds = Vec::new();
    if before.is_none() {
        kinds.push(NoticeKind::Created);
    }
    if let Some(before) = before.filter(|before| before.status != after.status) {
        kinds.extend(entered(before.status, after));
    }
    let announced = |machine: &Machine| machine.expiry_announced_at.is_some();
    if announced(after) && before.is_some_and(|before| !announced(before)) {
        kinds.push(NoticeKind::Expiring);
    }
    kinds
        .into_iter()
        .map(|kind| notice(kind, after, None))
        .collect()
}

/// Of the pool's machines only those in use are worth a word: that EC2 takes one back, and that one is lost.
fn of_pool(before: &Machine, after: &Machine) -> Option<Notice> {
    let claim = before.claim();
    let kind = match (before.status, after.status) {
        // Nothing else is entered while it stays claimed.
        (Status::Claimed, Status::Claimed) if before.timeline.last() != after.timeline.last() => {
            NoticeKind::Interrupted
        }
        // One that is released drains without an error.
        (Status::Claimed, Status::Draining | Status::Terminated) if before.error != after.error => {
            NoticeKind::Terminated
        }
        _ => return None,
    };
    Some(notice(kind, after, claim))
}

fn entered(from: Status, machine: &Machine) -> Option<NoticeKind> {
    match machine.status {
        Status::Ready if machine.cycle > 1 => Some(NoticeKind::Started),
        Status::Ready => Some(NoticeKind::Ready),
        Status::Failed => Some(NoticeKind::Failed),
        // A start that EC2 refused leads back to `stopped` by way of `stopping`, and is told here.
        Status::Stopping if from == Status::Starting => Some(NoticeKind::Failed),
        Status::Stopped if !was_not_started(machine) => Some(NoticeKind::Stopped),
        Status::Terminated => Some(NoticeKind::Terminated),
        Status::Interrupted => Some(NoticeKind::Interrupted),
        _ => None,
    }
}

/// It was being started before it came to stop.
fn was_not_started(machine: &Machine) -> bool {
    let before = machine.timeline.iter().rev().nth(2);
    before.is_some_and(|entry| entry.phase == Status::Starting)
}

fn notice(kind: NoticeKind, machine: &Machine, claim: Option<&Claim>) -> Notice {
    let word = kind.as_str();
    let owner = claim.map_or(&machine.owner, |claim| &claim.owner);
    Notice {
        kind,
        subject: subject(&format!("{} {word}", machine.name), machine),
        body: body(kind, machine, owner, claim),
        attributes: vec![
            ("event", word.to_owned()),
            ("machine_id", machine.id.to_string()),
            ("owner", owner.clone()),
            ("source", machine.source.to_string()),
            ("market", machine.market().to_string()),
        ],
    }
}

/// Names may hold any letter; SNS takes ASCII only.
fn subject(text: &str, machine: &Machine) -> String {
    let is_fit = text.is_ascii()
        && text.len() <= MAX_SUBJECT
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if is_fit {
        return text.to_owned();
    }
    let event = text.rsplit(' ').next().unwrap_or_default();
    format!("{} {event}", machine.id)
}

fn body(kind: NoticeKind, machine: &Machine, owner: &str, claim: Option<&Claim>) -> String {
    let facts = machine.instance.as_ref();
    let at: Timestamp = machine.phase_entered_at();
    let mut body = format!(
        "Machine {} is {}.\n\n",
        machine.name,
        sentence(kind, machine)
    );
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a String cannot fail.
            let _ = writeln!(body, "{label:<14}{value}");
        }
    };
    line("Id", Some(machine.id.to_string()));
    line(
        "Instance",
        machine.instance_id.as_ref().map(ToString::to_string),
    );
    line("Status", Some(machine.status.to_string()));
    line("State", facts.map(|facts| facts.state.to_string()));
    line(
        "IP",
        facts.and_then(|facts| facts.public_ip.clone().or_else(|| facts.private_ip.clone())),
    );
    line("Type", facts.and_then(|facts| facts.instance_type.clone()));
    line("AMI", facts.and_then(|facts| facts.ami_id.clone()));
    line(
        "Zone",
        facts.and_then(|facts| facts.availability_zone.clone()),
    );
    line("Market", Some(machine.market().to_string()));
    line("SSH", machine.ssh_string(facts));
    line("Owner", Some(owner.to_owned()));
    line("Project", claim.map(|claim| claim.project.to_string()));
    line("Time", Some(at.to_string()));
    line("Ends", machine.expires_at.map(|end| end.to_string()));
    if let Some(error) = &machine.error {
        line("Error", Some(format!("{} ({})", error.message, error.code)));
        line("What to do", Some(error.hint.clone()));
    }
    body
}

fn sentence(kind: NoticeKind, machine: &Machine) -> String {
    match (kind, machine.expires_at) {
        (NoticeKind::Created, _) => "being launched".to_owned(),
        (NoticeKind::Started, _) => "ready again".to_owned(),
        (NoticeKind::Interrupted, _) => {
            "being taken back by EC2; it ends within two minutes".to_owned()
        }
        (NoticeKind::Expiring, Some(end)) => format!("about to end: its time is over at {end}"),
        (NoticeKind::Failed, _) if machine.status == Status::Stopping => {
            "stopped: it could not be started".to_owned()
        }
        (kind, _) => kind.as_str().to_owned(),
    }
}
