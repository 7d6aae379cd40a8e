//! The stack under test, and what the scenarios need of it.

use std::{sync::Arc, time::Duration};

use haulout_local::stack::{Stack, StackOptions};
use haulout_tests::client::Api;
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

    /// A stack on the state that is in `folder`.
    pub(super) async fn within(folder: TempDir) -> Self {
        let mut options = StackOptions::new(folder.path().join(".haulout"));
        options.speed = SPEED;
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
}
