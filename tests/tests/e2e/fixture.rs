//! The stack under test, and what the scenarios need of it.

use std::{sync::Arc, time::Duration};

use haulout_local::stack::{Stack, StackOptions};
use haulout_tests::client::Api;
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How much faster than real time machines boot.
const SPEED: f64 = 20.0;

/// Longer than any launch takes at that speed, on a loaded computer.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// A running stack in a folder of its own.
pub(super) struct Fixture {
    pub(super) stack: Stack,
    pub(super) api: Api,
    pub(super) folder: TempDir,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::within(tempfile::tempdir().expect("a temporary folder")).await
    }

    /// A stack that is started with other options.
    pub(super) async fn start_with(change: impl FnOnce(&mut StackOptions)) -> Self {
        Self::with(tempfile::tempdir().expect("a temporary folder"), change).await
    }

    /// A stack on the state that is in `folder`.
    pub(super) async fn within(folder: TempDir) -> Self {
        Self::with(folder, |_| {}).await
    }

    async fn with(folder: TempDir, change: impl FnOnce(&mut StackOptions)) -> Self {
        let mut options = StackOptions::new(folder.path().join(".haulout"));
        options.speed = SPEED;
        change(&mut options);
        options.progress = Arc::new(|line| eprintln!("stack: {line}"));
        let stack = Stack::start(options)
            .await
            .unwrap_or_else(|error| panic!("{}", haulout_aws::telemetry::error_chain(&error)));
        let token = stack.addresses.admin_token.clone();
        let api = Api::new(stack.addresses.api_url.clone(), Some(token));
        Self { stack, api, folder }
    }

    /// The same API without a token.
    pub(super) fn stranger(&self) -> Api {
        Api::new(self.stack.addresses.api_url.clone(), None)
    }

    /// The simulator's own interface.
    pub(super) fn sim(&self) -> Api {
        Api::new(self.stack.addresses.sim_url.clone(), None)
    }

    /// The simulator's state.
    pub(super) async fn sim_state(&self) -> Value {
        self.sim().get("/_sim/state").await.json
    }

    /// A machine that came up.
    pub(super) async fn ready(&self, body: &Value) -> Value {
        let answer = self.api.post("/instances", body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        let id = text(&answer.json, "id");
        let machine = self.api.until(id, PATIENCE, ended_up).await;
        assert_eq!(machine["status"], "ready", "{machine}");
        machine
    }

    /// Stops or starts a machine, and waits until it is.
    pub(super) async fn power(&self, id: &str, verb: &str, status: &'static str) -> Value {
        let path = format!("/instances/{id}/{verb}");
        let answer = self.api.post(&path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        let over = |it: &Value| it["status"] == status || it["status"] == "failed";
        let machine = self.api.until(id, PATIENCE, over).await;
        assert_eq!(machine["status"], status, "{machine}");
        machine
    }

    /// Deletes a machine, and waits until EC2 says that it is gone.
    pub(super) async fn end(&self, id: &str) -> Value {
        let answer = self.api.delete(&format!("/instances/{id}")).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        self.api.until(id, PATIENCE, is("terminated")).await
    }
}

/// A field that is text.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is no text in {value}"))
}

/// The statuses a machine went through.
pub(super) fn phases(machine: &Value) -> Vec<&str> {
    let timeline = machine["timeline"].as_array().expect("a timeline");
    timeline.iter().map(|entry| text(entry, "phase")).collect()
}

/// A machine with this status.
pub(super) fn is(status: &'static str) -> impl Fn(&Value) -> bool {
    move |machine| machine["status"] == status
}

/// A machine that came up, or did not.
pub(super) fn ended_up(machine: &Value) -> bool {
    machine["status"] == "ready" || machine["status"] == "failed"
}
