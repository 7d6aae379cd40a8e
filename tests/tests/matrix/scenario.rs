//! What is done to the deployment while something goes wrong.

use std::time::Duration;

use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal, Service},
    faults::{CallFault, Trouble},
    settings::Settings,
    world::{World, usual_request},
};
use serde_json::json;

/// A machine's life without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// It becomes ready.
    Launch,
    /// Its staging command fails.
    Failing,
    /// Its staging command fails, and the instance is to be kept for a while.
    Kept,
    /// It has nothing to stage.
    Bare,
    /// It is deleted while its instance is being launched.
    DeletedEarly,
    /// It is deleted while the staging command runs.
    DeletedLate,
    /// It is deleted when it is ready.
    DeletedReady,
    /// It is the sweep that starts its execution.
    Unstarted,
}

impl Scenario {
    pub(crate) const ALL: [Self; 8] = [
        Self::Launch,
        Self::Failing,
        Self::Kept,
        Self::Bare,
        Self::DeletedEarly,
        Self::DeletedLate,
        Self::DeletedReady,
        Self::Unstarted,
    ];

    pub(crate) fn settings(self) -> Settings {
        let settings = match self {
            Self::Failing | Self::Kept => Settings::failing(),
            _ => Settings::default(),
        };
        Settings {
            keep_failed_minutes: 3,
            ..settings
        }
    }

    /// What the caller does.
    pub(crate) fn begin(self, world: &World) {
        if self == Self::Unstarted {
            let denied = Trouble::Refused(Refusal::AccessDenied);
            world
                .faults
                .arm(CallFault::new("instances", &start_execution(), denied));
        }
        let body = match self {
            Self::Bare => json!({}),
            Self::Kept => {
                let mut body = usual_request();
                body["on_failure"] = json!("keep");
                body
            }
            _ => usual_request(),
        };
        let key = Some("the-only-request".to_owned());
        let create = Job::Create { body, key };
        world.plan(Duration::ZERO, create.clone());
        // The same request again, as from a client that saw no answer: it must never make a second machine.
        world.plan(Duration::from_secs(2), create);
        if let Some(after) = self.deleted_after() {
            world.plan(after, Job::DeleteFirst);
        }
    }

    fn deleted_after(self) -> Option<Duration> {
        let seconds = match self {
            Self::DeletedEarly => 5,
            Self::DeletedLate => 30,
            Self::DeletedReady => 50,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// In it, the sweep has something to do.
    pub(crate) fn needs_sweep(self) -> bool {
        matches!(self, Self::Kept | Self::Unstarted)
    }

    /// It fails without any fault.
    pub(crate) fn fails_by_itself(self) -> bool {
        matches!(self, Self::Failing | Self::Kept)
    }
}

pub(crate) fn start_execution() -> Action {
    Action {
        service: Service::StepFunctions,
        name: "StartExecution".to_owned(),
    }
}
