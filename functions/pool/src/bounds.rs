//! /pool: how many machines there should be, and how many there are.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Problem};
use haulout_domain::{access::Access, pool::capacity::Bounds};

use crate::{ChangePool, Pool, PoolView, refusal};

/// Read the pool.
///
/// How many machines it should have, and what refresh, which looks at it every minute, found of it.
#[utoipa::path(
    get,
    path = "/pool",
    tag = "pool",
    responses((status = 200, body = PoolView))
)]
pub(crate) async fn get(State(pool): State<Arc<Pool>>) -> Result<Json<PoolView>, Problem> {
    let bounds = pool.bounds().await?;
    Ok(Json(pool.view(bounds).await?))
}

/// Change how many machines the pool has.
///
/// Within about a minute the group launches what is missing; idle machines that are too many go after ten minutes,
/// machines in use never. The group's own minimum and maximum hold beside these.
#[utoipa::path(
    put,
    path = "/pool",
    tag = "pool",
    request_body = ChangePool,
    responses(
        (status = 200, body = PoolView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "The deployment has no pool", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn put(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Json(change): Json<ChangePool>,
) -> Result<Json<PoolView>, Problem> {
    caller.may(Access::Administer)?;
    if pool.settings.group.is_none() {
        return Err(refusal::no_pool());
    }
    let before = pool.bounds().await?;
    let bounds = change.of(before)?;
    let put = pool.store.put_pool_bounds(&bounds).await;
    put.map_err(refusal::store)?;
    tracing::warn!(by = caller.name, ?before, after = ?bounds, "the pool's bounds are changed");
    Ok(Json(pool.view(bounds).await?))
}

impl Pool {
    /// What callers said, or else the deployment.
    async fn bounds(&self) -> Result<Bounds, Problem> {
        let said = self.store.pool_bounds().await.map_err(refusal::store)?;
        Ok(said.unwrap_or(self.settings.bounds))
    }

    async fn view(&self, bounds: Bounds) -> Result<PoolView, Problem> {
        let report = self.store.pool_report().await.map_err(refusal::store)?;
        let group = self.settings.group.clone();
        Ok(PoolView::new(group, bounds, report, self.clock.now()))
    }
}
