//! The function `sync`: records and bucket are compared by themselves. S3 tells of objects that came and went, and a
//! schedule goes through everything, for what nobody told. Both may run at once, and beside POST /packages/sync: every
//! step may be repeated.

use std::time::Duration;

use haulout_aws::store::StoreError;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    Packages, SyncReport,
    event::{EventError, ReconcileEvent},
    pass::{Bounds, Pass, PassError, Position},
};

/// How long the schedule's pass works. With [`PATIENCE`], below the function's timeout in template.yaml; so is twice
/// [`PATIENCE`], which an event may take.
const WORKS: SignedDuration = SignedDuration::from_secs(60);
/// How long what is begun may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Whose archives become that nobody registered. Only an administrator can give that name to a user.
const OWNER: &str = "admin";

/// An invocation that did not do its work. Lambda sends it again; the schedule comes again anyway.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// It makes no sense.
    #[error("the event cannot be read")]
    Event(#[from] EventError),
    /// It ended early.
    #[error("records and bucket could not be compared")]
    Pass(#[from] PassError),
    /// Where it stands is not known.
    #[error("how far the passes went cannot be read or written")]
    Position(#[from] StoreError),
    /// A position without a text form.
    #[error("how far the pass went cannot be written down")]
    Json(#[from] serde_json::Error),
}

impl Packages {
    /// Deals with an event.
    pub async fn reconcile(&self, event: Value) -> Result<SyncReport, ReconcileError> {
        match ReconcileEvent::try_from(event)? {
            ReconcileEvent::Schedule => Box::pin(self.go_through()).await,
            ReconcileEvent::Object(key) => Box::pin(self.look_after(&key)).await,
            ReconcileEvent::Other(detail_type) => {
                tracing::warn!(detail_type, "an event that nobody needs here");
                Ok(SyncReport::default())
            }
        }
    }

    fn pass(&self) -> Pass<'_> {
        let bounds = Bounds {
            works: WORKS,
            patience: PATIENCE,
            items: self.settings.reconcile_items,
        };
        Pass::new(self, OWNER, bounds)
    }

    /// Goes on where the pass before stopped. Where it stands is written down at each step: one that is cut off does not
    /// begin anew. Of two at once the later word counts; the worst that can come of it is work done twice.
    async fn go_through(&self) -> Result<SyncReport, ReconcileError> {
        let kept = self.store.sync_position().await?;
        let mut position = kept.map_or(Position::START, |kept| {
            serde_json::from_str(&kept).unwrap_or_else(|error| {
                tracing::warn!(%error, kept, "a position of another form: from the beginning");
                Position::START
            })
        });
        let mut pass = self.pass();
        loop {
            let next = Box::pin(pass.step(&position)).await?;
            let text = next.as_ref().map(serde_json::to_string).transpose()?;
            self.store.keep_sync_position(text.as_deref()).await?;
            match next {
                Some(next) => position = next,
                None => break,
            }
            if pass.is_over() {
                break;
            }
        }
        Ok(pass.report)
    }

    /// An event is only a hint: it may come late, twice or out of order. What S3 and the tables say now counts.
    async fn look_after(&self, key: &str) -> Result<SyncReport, ReconcileError> {
        let mut pass = self.pass();
        let done = timeout(PATIENCE, Box::pin(pass.object(key))).await;
        if let Some(package) = pass.settle(&key, done)?.flatten() {
            let reference = package.reference();
            let done = timeout(PATIENCE, Box::pin(pass.package(package))).await;
            pass.settle(&reference, done)?;
        }
        Ok(pass.report)
    }
}
