//! Scaling activities: what a group did to an instance, why, and how it went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::member::Member;
use crate::sim::ec2::Xml;
use crate::sim::ids;

/// How an activity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    InProgress,
    Successful,
    Failed,
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Per cent.
    fn progress(self) -> u8 {
        if self == Self::InProgress { 50 } else { 100 }
    }
}

/// One activity. Its times are those told to callers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Activity {
    pub(super) id: String,
    /// The how-manieth of its group; lists have the newest first.
    pub(super) number: u64,
    pub(super) description: String,
    pub(super) cause: String,
    /// The subnet and the zone, where they are known.
    pub(super) place: Option<(String, String)>,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
    pub(super) status: Status,
    pub(super) message: Option<String>,
}

impl Activity {
    /// An activity that begins.
    pub(super) fn new(number: u64, description: String, cause: String, start: Timestamp) -> Self {
        Self {
            id: ids::uuid(),
            number,
            description,
            cause,
            place: None,
            start,
            end: None,
            status: Status::InProgress,
            message: None,
        }
    }

    /// The same, where `member` is.
    #[must_use]
    pub(super) fn at(self, member: &Member) -> Self {
        Self {
            place: Some((member.subnet_id.clone(), member.zone.clone())),
            ..self
        }
    }

    /// The same at its end.
    #[must_use]
    pub(super) fn ended(self, status: Status, message: Option<String>, end: Timestamp) -> Self {
        Self {
            status,
            message,
            end: Some(end),
            ..self
        }
    }

    /// Where it happens, in the words of the `Details` of activities and events.
    pub(super) fn details(&self) -> serde_json::Value {
        match &self.place {
            Some((subnet, zone)) => json!({ "Subnet ID": subnet, "Availability Zone": zone }),
            None => json!({}),
        }
    }

    /// Writes it as an element's content.
    pub(super) fn write(&self, xml: &mut Xml, group: &str, arn: &str) {
        xml.value("ActivityId", &self.id);
        xml.value("AutoScalingGroupName", group);
        xml.value("AutoScalingGroupARN", arn);
        xml.value("Description", &self.description);
        xml.value("Cause", &self.cause);
        xml.time("StartTime", self.start);
        if let Some(end) = self.end {
            xml.time("EndTime", end);
        }
        xml.value("StatusCode", self.status.name());
        xml.optional("StatusMessage", self.message.as_ref());
        xml.value("Progress", self.status.progress());
        xml.value("Details", self.details());
    }
}

/// An instant as causes and reasons name it.
pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
