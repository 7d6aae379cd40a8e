//! /drain: while it is on, no machine is made, and the sweep ends those there are. For before a stack is deleted,
//! which by itself leaves instances running.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use haulout_api::{Caller, Problem};
use haulout_aws::store::Filter;
use haulout_domain::{access::Access, machine::Machine, status::Status};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Instances, refusal};

/// How many pages of records an answer reads at most; beyond them it takes the sweep's count.
const MAX_PAGES: u32 = 20;

/// Whether the deployment is being drained.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Drain)]
pub struct DrainView {
    /// No machine is made, and all are ended.
    pub draining: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Who began it.
    pub by: Option<String>,
    /// How many machines have not ended. When there are thousands, as counted by the sweep.
    pub machines_left: u64,
}

/// Begin to drain.
///
/// From now on no machine is made, and within about a minute all machines are being terminated, whoever owns them.
/// It is over when `machines_left` is 0. Beginning again changes nothing.
#[utoipa::path(
    post,
    path = "/drain",
    tag = "service",
    responses(
        (status = 202, description = "It has begun", body = DrainView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn start(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<DrainView>), Problem> {
    caller.may(Access::Administer)?;
    let now = instances.clock.now();
    instances
        .store
        .start_drain(&caller.name, now)
        .await
        .map_err(refusal::store)?;
    tracing::warn!(by = caller.name, "draining");
    instances.count("drain", "begun");
    Ok((StatusCode::ACCEPTED, Json(instances.drain_view().await?)))
}

/// Read whether the deployment is being drained.
#[utoipa::path(
    get,
    path = "/drain",
    tag = "service",
    responses(
        (status = 200, body = DrainView),
    )
)]
pub(crate) async fn get(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<DrainView>, Problem> {
    caller.may(Access::Read)?;
    Ok(Json(instances.drain_view().await?))
}

/// End the drain.
///
/// Machines can be made again. Those that are ending go on doing so.
#[utoipa::path(
    delete,
    path = "/drain",
    tag = "service",
    responses(
        (status = 200, body = DrainView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn end(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<DrainView>, Problem> {
    caller.may(Access::Administer)?;
    instances.store.end_drain().await.map_err(refusal::store)?;
    tracing::warn!(by = caller.name, "no longer draining");
    instances.count("drain", "ended");
    Ok(Json(instances.drain_view().await?))
}

impl Instances {
    async fn drain_view(&self) -> Result<DrainView, Problem> {
        let drain = self.store.drain().await.map_err(refusal::store)?;
        let machines_left = self.machines_left().await?;
        Ok(DrainView {
            draining: drain.is_some(),
            since: drain.as_ref().map(|drain| drain.since),
            by: drain.map(|drain| drain.by),
            machines_left,
        })
    }

    /// Counted record by record, because somebody deletes a stack when it is 0; the sweep's count is a minute old.
    async fn machines_left(&self) -> Result<u64, Problem> {
        let now = self.clock.now();
        let (mut left, mut after) = (0, None);
        for _ in 0..MAX_PAGES {
            let page = self
                .store
                .sweep_page(after.as_ref(), now)
                .await
                .map_err(refusal::store)?;
            left += page.machines.iter().filter(|it| is_left(it)).count() as u64;
            after = page.next;
            if after.is_none() {
                return Ok(left);
            }
        }
        Ok(self.counted().await?.max(left))
    }

    async fn counted(&self) -> Result<u64, Problem> {
        let counts = self.store.counts().await.map_err(refusal::store)?;
        let all = |status| {
            counts.total(Filter {
                status: Some(status),
                source: None,
            })
        };
        let open = |status: &&Status| **status != Status::Terminated;
        Ok(Status::ALL.iter().filter(open).copied().map(all).sum())
    }
}

fn is_left(machine: &Machine) -> bool {
    machine.closed_at.is_none()
}
