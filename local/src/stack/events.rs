//! EventBridge's rules for EC2's and Auto Scaling's events, which the emulator cannot know of: the simulator's events go
//! to their functions.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::aws::Aws;
use super::error::StackError;
use crate::sim::{Event, SimHandle};

/// The name of the function for EC2's events, after the deployment's prefix.
const SUFFIX: &str = "-events";
/// How often an event is tried to be delivered. Events are hints: what is lost, the next sweep finds.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// A delivery that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Delivery(JoinHandle<()>);

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Delivers the simulator's events from now on, if their function is deployed. Those of Auto Scaling go to `refresh`,
/// which is the full name of that function.
pub(super) async fn start(
    aws: &Aws,
    sim: &SimHandle,
    refresh: &str,
) -> Result<Option<Delivery>, StackError> {
    let (function, refresh) = (beside(refresh), refresh.to_owned());
    if !aws.function_exists(&function).await? {
        return Ok(None);
    }
    let (aws, mut events) = (aws.clone(), sim.events());
    let task = tokio::spawn(async move {
        while let Some(due) = events.next().await {
            for event in due {
                let is_of_group = event.group().is_some();
                let to = if is_of_group { &refresh } else { &function };
                deliver(&aws, to, &event).await;
            }
        }
    });
    Ok(Some(Delivery(task)))
}

/// `haulout-events` for `haulout-refresh`.
fn beside(sibling: &str) -> String {
    let prefix = sibling
        .rsplit_once('-')
        .map_or(sibling, |(prefix, _)| prefix);
    format!("{prefix}{SUFFIX}")
}

async fn deliver(aws: &Aws, function: &str, event: &Event) {
    let mut wait = FIRST_WAIT;
    for attempt in 1..=ATTEMPTS {
        match aws.invoke(function, event.body().to_string()).await {
            Ok(()) => {
                tracing::debug!(instance = event.instance_id, kind = ?event.kind, "an event was delivered");
                return;
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                instance = event.instance_id,
                kind = ?event.kind,
                attempt,
                "an event was not delivered"
            ),
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }
}

#[cfg(test)]
mod tests;
