//! POST /destroy: ends a machine of the pool.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Problem};
use haulout_aws::progress;
use haulout_domain::{
    ids::{IdError, MachineRef},
    machine::Machine,
};
use http::StatusCode;

use crate::{Destroy, Destroyed, Pool, refusal};

/// Destroy a machine of the pool.
///
/// One's own, or as an operator any: its project has none any more. The group launches no other one in its place, unless the pool would
/// be too small. Destroying again changes nothing.
#[utoipa::path(
    post,
    path = "/destroy",
    tag = "pool",
    request_body = Destroy,
    responses(
        (status = 202, description = "It is ending, or has ended", body = Destroyed),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "It is not the pool's", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn destroy(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Destroy>,
) -> Result<(StatusCode, Json<Destroyed>), Problem> {
    let id = body.machine_id;
    let found = pool.find(&id).await?;
    if found.pool.is_none() {
        return Err(refusal::not_of_pool(&id));
    }
    // One that nobody has claimed is nobody's: no caller has that name.
    caller.may_change(found.holder().unwrap_or_default())?;
    let now = pool.clock.now();
    let reason = format!("destroyed by {}", caller.name);
    let (machine, is_new) = pool
        .store
        .update(&found.id, |machine| machine.release(&reason, now))
        .await
        .map_err(refusal::store)?
        .ok_or_else(|| refusal::unknown_machine(&id))?;
    if is_new {
        tracing::info!(machine_id = %machine.id, by = caller.name, "destroyed");
        progress::report(&pool.metrics, &found, &machine);
    }
    Ok((StatusCode::ACCEPTED, Json(machine.into())))
}

impl Pool {
    /// The machine a request names, as long as its record lives.
    async fn find(&self, id: &str) -> Result<Machine, Problem> {
        let reference: MachineRef = id.parse().map_err(|error: IdError| {
            Problem::new(
                Code::InvalidBody,
                format!("Body, field `machineId`: {error}."),
            )
        })?;
        let found = match &reference {
            MachineRef::Machine(id) => self.store.get(id).await,
            MachineRef::Instance(id) => self.store.find_by_instance(id).await,
        };
        found
            .map_err(refusal::store)?
            .filter(|machine| !machine.is_purged(self.clock.now()))
            .ok_or_else(|| refusal::unknown_machine(id))
    }
}
