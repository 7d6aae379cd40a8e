//! The schedules at another speed: the emulator's own know real minutes only. And the first look, which comes with the
//! stack: its pool fills without waiting for a minute to pass.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::StackError;
use super::aws::{Aws, StackState};

/// What the schedules in template.yaml send.
pub(super) const INPUT: &str = r#"{"source":"haulout.schedule"}"#;
/// How often refresh runs, in seconds.
const MINUTE: f64 = 60.0;
/// How often sync runs, in seconds.
const QUARTER: f64 = 900.0;

/// A schedule that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Schedule(JoinHandle<()>);

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts the schedules of refresh and sync.
pub(super) async fn start(
    aws: &Aws,
    deployed: &StackState,
    speed: f64,
) -> Result<[Option<Schedule>; 2], StackError> {
    let refresh = deployed.output("RefreshFunctionName")?;
    let sync = deployed.output("SyncFunctionName")?;
    Ok([
        start_one(aws, refresh, MINUTE, speed).await?,
        start_one(aws, sync, QUARTER, speed).await?,
    ])
}

/// Invokes a function now, and then once in `period` seconds at `speed`, beside the real schedule; at real speed that one
/// is enough.
async fn start_one(
    aws: &Aws,
    function: &str,
    period: f64,
    speed: f64,
) -> Result<Option<Schedule>, StackError> {
    aws.invoke(function, INPUT).await?;
    if speed <= 1.0 {
        return Ok(None);
    }
    let (aws, function) = (aws.clone(), function.to_owned());
    let task = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(period / speed));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first one is due at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if let Err(error) = aws.invoke(&function, INPUT).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    function,
                    "a schedule's function was not invoked"
                );
            }
        }
    });
    Ok(Some(Schedule(task)))
}
