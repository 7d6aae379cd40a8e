//! GET /instances and GET /instances/{id}.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use haulout_api::{
    Caller, Path, Problem, Query,
    page::{Limit, decode_cursor, encode_cursor},
};
use haulout_aws::{
    store::{Filter, Whose},
    telemetry::error_chain,
};
use haulout_domain::{
    ids::MachineId,
    machine::{InstanceFacts, Machine, SpotStatus},
    status::{Source, Status},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    Instances, refusal,
    view::{MachineList, MachineView},
};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only machines in this status.
    status: Option<Status>,
    /// Only machines from here.
    source: Option<Source>,
    /// How many at most, 1 to 100; 50 when not given.
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List machines.
///
/// Newest first. Ended machines stay for 24 hours. A user is shown the machines of POST /instances that are the user's
/// own; machines of the pool are in GET /status.
#[utoipa::path(
    get,
    path = "",
    tag = "machines",
    params(ListQuery),
    responses((status = 200, body = MachineList))
)]
pub(crate) async fn list(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
) -> Result<Json<MachineList>, Problem> {
    let filter = Filter {
        status: query.status,
        source: query.source,
    };
    let whose = if caller.sees_all() {
        Whose::Everybodys
    } else {
        Whose::Own(&caller.name)
    };
    let list = (filter, whose);
    let after: Option<MachineId> = query
        .cursor
        .map(|cursor| decode_cursor(&cursor, &list))
        .transpose()?;
    let limit = usize::from(query.limit.unwrap_or_default().get());
    let now = instances.clock.now();
    let page = instances
        .store
        .list_whose(whose, filter, after.as_ref(), limit, now)
        .await
        .map_err(refusal::store)?;
    let listed = u64::try_from(page.machines.len()).unwrap_or(u64::MAX);
    let total = if after.is_none() && page.next.is_none() {
        listed
    } else {
        instances.total(whose, filter).await?.max(listed)
    };
    let next_cursor = page
        .next
        .map(|next| encode_cursor(&next, &list))
        .transpose()?;
    Ok(Json(MachineList {
        total,
        instances: page.machines.into_iter().map(MachineView::stored).collect(),
        next_cursor,
    }))
}

/// Read a machine.
///
/// `id` is ours (`m-…`) or EC2's (`i-…`). `state`, the addresses and `spot_status` are EC2's as of now.
#[utoipa::path(
    get,
    path = "/{id}",
    tag = "machines",
    params(("id" = haulout_domain::ids::MachineRef, Path, description = "m-… or i-…")),
    responses(
        (status = 200, body = MachineView),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn get(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<MachineView>, Problem> {
    let mut machine = instances.seen_by(&caller, &id).await?;
    let facts = instances.live(&machine).await;
    machine.spot_status = instances.live_spot(&machine, facts.as_ref()).await;
    Ok(Json(MachineView::merged(machine, facts.as_ref())))
}

impl Instances {
    /// How many machines a list has in all its pages: everybody's as counted by the sweep, own ones as they are.
    async fn total(&self, whose: Whose<'_>, filter: Filter) -> Result<u64, Problem> {
        let total = match whose {
            Whose::Everybodys => self.store.counts().await.map(|it| it.total(filter)),
            Whose::Own(owner) => {
                let now = self.clock.now();
                self.store.count_own(owner, filter, now).await
            }
        };
        total.map_err(refusal::store)
    }

    /// What EC2 says of the machine's instance now; what it said last when it does not answer, or no longer
    /// knows the instance.
    async fn live(&self, machine: &Machine) -> Option<InstanceFacts> {
        let known = machine.instance.clone();
        let (Some(id), None) = (&machine.instance_id, machine.closed_at) else {
            return known;
        };
        match self.compute.describe(id).await {
            Ok(seen) => seen.or(known),
            Err(error) => {
                tracing::warn!(
                    machine_id = %machine.id,
                    error = error_chain(&error),
                    "EC2 did not answer; answering what it said last"
                );
                known
            }
        }
    }

    /// How the machine's spot request stands now; how it stood last when EC2 does not answer, or no longer knows
    /// the request.
    async fn live_spot(
        &self,
        machine: &Machine,
        facts: Option<&InstanceFacts>,
    ) -> Option<SpotStatus> {
        let known = machine.spot_status.clone();
        let request = facts.and_then(|facts| facts.spot_request_id.as_deref());
        let (Some(request), None) = (request, machine.closed_at) else {
            return known;
        };
        match self.compute.spot_status(request).await {
            Ok(seen) => seen.or(known),
            Err(error) => {
                tracing::warn!(
                    machine_id = %machine.id,
                    error = error_chain(&error),
                    "EC2 did not say how the spot request stands; answering what it said last"
                );
                known
            }
        }
    }
}
