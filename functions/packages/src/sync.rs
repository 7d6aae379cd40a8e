//! POST /packages/sync: records and bucket are compared, and what was cut off is gone on with. Three stages: uploads,
//! then packages, then objects. One call goes so far, and the next goes on from there.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Json, Problem,
    page::{decode_cursor, encode_cursor},
};
use haulout_aws::registry::OpenPosition;
use haulout_domain::package::{ObjectKey, PackageRef};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Packages, Sync, SyncProblem, SyncReport, refusal};

/// How long one call works, so that its answer comes within API Gateway's 30 seconds.
const WORKS: SignedDuration = SignedDuration::from_secs(12);
/// Uploads, and packages, that are read at once.
const PAGE: i32 = 50;
/// What cursors are for.
const FILTER: &str = "sync";

/// How far it went: after these.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "stage", content = "after", rename_all = "snake_case")]
enum Position {
    Uploads(Option<OpenPosition>),
    Packages(Option<PackageRef>),
    Objects(Option<String>),
}

/// Compare records and bucket.
///
/// Uploads whose time is over are given up, and commits that were cut off are finished. Packages without an archive are
/// marked missing; those whose archive nobody looked into are looked into. Archives without a package become packages
/// that are unverified, sensitive and the caller's; never those of uploads under way. Call again with `next_cursor` until
/// that is null.
#[utoipa::path(
    post,
    path = "/packages/sync",
    tag = "packages",
    request_body = Option<Sync>,
    responses((status = 200, body = SyncReport))
)]
pub(crate) async fn sync(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    body: Option<Json<Sync>>,
) -> Result<Json<SyncReport>, Problem> {
    let cursor = body.and_then(|Json(body)| body.cursor);
    let mut position = match cursor {
        Some(cursor) => decode_cursor(&cursor, &FILTER)?,
        None => Position::Uploads(None),
    };
    let mut pass = Pass {
        packages: &packages,
        caller: &caller.name,
        until: packages
            .clock
            .now()
            .saturating_add(WORKS)
            .map_err(Problem::internal)?,
        left: packages.settings.sync_items,
        report: SyncReport::default(),
    };
    loop {
        let next = Box::pin(pass.go_on(&position)).await?;
        match next {
            None => break,
            Some(next) => position = next,
        }
        if pass.is_over() {
            pass.report.next_cursor = Some(encode_cursor(&position, &FILTER)?);
            break;
        }
    }
    tracing::info!(by = caller.name, report = ?pass.report, "synchronized");
    Ok(Json(pass.report))
}

/// One call's work.
pub(crate) struct Pass<'a> {
    pub(crate) packages: &'a Packages,
    pub(crate) caller: &'a str,
    until: Timestamp,
    left: u32,
    pub(crate) report: SyncReport,
}

impl Pass<'_> {
    fn is_over(&self) -> bool {
        self.left == 0 || self.packages.clock.now() >= self.until
    }

    /// Counts one thing that was looked at; false when it was the last.
    fn goes_on(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        !self.is_over()
    }

    /// Something that is left as it is.
    pub(crate) fn problem(&mut self, what: &impl ToString, problem: &impl ToString) {
        self.report.problems.push(SyncProblem {
            what: what.to_string(),
            problem: problem.to_string(),
        });
    }

    /// Some steps from a position on; the position after them, or nothing at the end.
    async fn go_on(&mut self, position: &Position) -> Result<Option<Position>, Problem> {
        let registry = &self.packages.registry;
        match position {
            Position::Uploads(after) => {
                let uploads = registry.open_uploads(after.as_ref(), PAGE).await;
                let uploads = uploads.map_err(refusal::registry)?;
                let mut after = None;
                for upload in uploads {
                    after = Some(OpenPosition::of(&upload));
                    self.upload(upload).await?;
                    if !self.goes_on() {
                        break;
                    }
                }
                Ok(Some(match after {
                    None => Position::Packages(None),
                    after => Position::Uploads(after),
                }))
            }
            Position::Packages(after) => {
                let page = registry.packages(after.as_ref(), PAGE).await;
                let page = page.map_err(refusal::registry)?;
                let mut after = None;
                for package in page.packages {
                    after = Some(package.reference());
                    self.package(package).await?;
                    if !self.goes_on() {
                        break;
                    }
                }
                Ok(Some(match after {
                    None => Position::Objects(None),
                    after => Position::Packages(after),
                }))
            }
            Position::Objects(after) => {
                let page = self
                    .packages
                    .objects
                    .list(ObjectKey::ROOT, after.as_deref());
                let mut after = None;
                for key in page.await?.keys {
                    self.object(&key).await?;
                    after = Some(key);
                    if !self.goes_on() {
                        break;
                    }
                }
                Ok(after.map(|after| Position::Objects(Some(after))))
            }
        }
    }
}
