//! GET /status: every machine of the pool, read record by record.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Problem};
use haulout_domain::{ids::MachineId, machine::Machine, status::Status};

use crate::{Pool, StatusMachine, StatusView, refusal};

/// The statuses of machines that have not ended, in the order in which machines pass through them: one that goes on
/// while they are read is seen twice, and the later sight counts.
const STATUSES: &[Status] = &[
    Status::Warming,
    Status::WaitingForSsm,
    Status::FetchingBlob,
    Status::Idle,
    Status::Claimed,
    Status::Draining,
];

/// List the pool's machines, for older callers.
///
/// Those that have not ended, of which users are shown their own. GET /pool counts them with less effort.
#[utoipa::path(
    get,
    path = "/status",
    tag = "pool",
    responses((status = 200, body = StatusView))
)]
pub(crate) async fn get(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<StatusView>, Problem> {
    let machines = pool.machines().await?;
    let count = |status| machines.values().filter(|it| it.status == status).count();
    Ok(Json(StatusView {
        total_machines: machines.len(),
        idle_machines: count(Status::Idle),
        used_machines: count(Status::Claimed),
        machines: machines
            .into_values()
            .filter(|it| caller.may_see(it.holder().unwrap_or_default()).is_ok())
            .map(StatusMachine::from)
            .collect(),
    }))
}

impl Pool {
    async fn machines(&self) -> Result<BTreeMap<MachineId, Machine>, Problem> {
        let now = self.clock.now();
        let mut machines = BTreeMap::new();
        for &status in STATUSES {
            let mut after = None;
            loop {
                let page = self.store.pool_page(status, after.as_ref(), now).await;
                let page = page.map_err(refusal::store)?;
                for machine in page.machines {
                    if machine.closed_at.is_none() {
                        machines.insert(machine.id.clone(), machine);
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(machines)
    }
}
