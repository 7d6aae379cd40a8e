//! The minute schedule at another speed: the emulator's own knows real minutes only. And the first look, which comes
//! with the stack: its pool fills without waiting for a minute to pass.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::StackError;
use super::aws::Aws;

/// What the schedule in template.yaml sends.
pub(super) const INPUT: &str = r#"{"source":"haulout.schedule"}"#;
/// The schedule's period in seconds.
const PERIOD: f64 = 60.0;

/// A schedule that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Schedule(JoinHandle<()>);

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Invokes refresh now, and then at `speed`, beside the real schedule; at real speed that one is enough.
pub(super) async fn start(
    aws: &Aws,
    refresh: &str,
    speed: f64,
) -> Result<Option<Schedule>, StackError> {
    aws.invoke(refresh, INPUT).await?;
    if speed <= 1.0 {
        return Ok(None);
    }
    let (aws, refresh) = (aws.clone(), refresh.to_owned());
    let task = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(PERIOD / speed));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first one is due at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if let Err(error) = aws.invoke(&refresh, INPUT).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "refresh was not invoked"
                );
            }
        }
    });
    Ok(Some(Schedule(task)))
}
