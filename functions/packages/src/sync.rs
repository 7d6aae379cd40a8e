//! POST /packages/sync: an administrator has records and bucket compared, and what was cut off gone on with. One call goes
//! so far, and the next goes on from there. The function `sync` does the same by itself ([`crate::reconcile`]).

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Json, Problem,
    page::{decode_cursor, encode_cursor},
};
use jiff::SignedDuration;

use crate::{
    Packages, Sync, SyncReport,
    pass::{Bounds, Pass, Position},
};

/// How long one call works, so that its answer comes within API Gateway's 30 seconds.
const WORKS: SignedDuration = SignedDuration::from_secs(12);
/// How long what it began last may take, for the same reason.
const PATIENCE: Duration = Duration::from_secs(14);
/// What cursors are for.
const FILTER: &str = "sync";

/// Compare records and bucket.
///
/// Uploads whose time is over are given up, and commits that were cut off are finished. Packages without an archive are
/// marked missing; those whose archive nobody looked into are looked into. Archives without a package become packages
/// that are unverified, sensitive and the caller's; never those of uploads under way. What cannot be dealt with is among
/// `problems`. Call again with `next_cursor` until that is null.
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
        None => Position::START,
    };
    let bounds = Bounds {
        works: WORKS,
        patience: PATIENCE,
        items: packages.settings.sync_items,
    };
    let mut pass = Pass::new(&packages, &caller.name, bounds);
    loop {
        let next = Box::pin(pass.step(&position)).await?;
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
