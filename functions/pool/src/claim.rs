//! /projects/{project_id}/machine: a project's machine, claimed, read and given back.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use haulout_api::{Caller, Json, Path, Problem};
use haulout_domain::pool::{ProjectId, claim::ProjectMachine};
use http::{StatusCode, header::LOCATION};

use crate::{ClaimMachine, ClaimView, Pool, Released, hand_out::HandedOut, project, refusal};

/// Claim a machine for a project.
///
/// An idle machine of the pool becomes the project's at once; a project that has one is given the same again, unless
/// somebody else claimed it. With
/// `ttl_minutes`, claiming again renews the claim. When none is idle, another one is being launched: come back.
#[utoipa::path(
    put,
    path = "/projects/{project_id}/machine",
    tag = "pool",
    params(("project_id" = ProjectId, Path, description = "1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'; no path of the API")),
    request_body = Option<ClaimMachine>,
    responses(
        (status = 200, description = "It has this one", body = ClaimView),
        (status = 201, description = "It has this one now", body = ClaimView, headers(("Location" = String))),
        (status = 409, description = "The deployment is being drained, or has no pool", body = haulout_api::problem::ProblemBody),
        (status = 503, description = "No machine is idle, or AWS is not available; `Retry-After` says when to come back", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn put(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Option<Json<ClaimMachine>>,
) -> Result<Response, Problem> {
    let project = project(&id)?;
    let asked = body.map(|Json(body)| body).unwrap_or_default();
    asked.check()?;
    let handed_out = pool.hand_out(&project, &caller, &asked).await?;
    Ok(answer(&project, handed_out))
}

/// Claim a machine, for older callers.
///
/// The same as PUT /projects/{project_id}/machine without a body: it changes what it names, although it is a GET.
#[utoipa::path(
    get,
    path = "/{project_id}",
    tag = "pool",
    params(("project_id" = ProjectId, Path, description = "1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'; no path of the API")),
    responses(
        (status = 200, description = "It has this one", body = ClaimView),
        (status = 201, description = "It has this one now", body = ClaimView, headers(("Location" = String))),
        (status = 409, description = "The deployment is being drained, or has no pool", body = haulout_api::problem::ProblemBody),
        (status = 503, description = "No machine is idle, or AWS is not available; `Retry-After` says when to come back", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn by_path(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let project = project(&id)?;
    let asked = ClaimMachine::default();
    let handed_out = pool.hand_out(&project, &caller, &asked).await?;
    Ok(answer(&project, handed_out))
}

/// Read a project's machine.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/machine",
    tag = "pool",
    params(("project_id" = ProjectId, Path, description = "The project's id")),
    responses(
        (status = 200, body = ClaimView),
        (status = 404, description = "It has none", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn get(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<ClaimView>, Problem> {
    let project = project(&id)?;
    let machine = pool.held(&project).await?;
    caller.may_see(&machine.owner)?;
    Ok(Json(machine.into()))
}

/// Give a project's machine back.
///
/// The machine is ended: nobody gets a machine that somebody else has used. The project may claim another one at once.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/machine",
    tag = "pool",
    params(("project_id" = ProjectId, Path, description = "The project's id")),
    responses(
        (status = 202, description = "It has none any more, and the machine is being ended", body = Released),
        (status = 404, description = "It has none", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn delete(
    State(pool): State<Arc<Pool>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Released>), Problem> {
    let project = project(&id)?;
    let held = pool.held(&project).await?;
    caller.may_change(&held.owner)?;
    let released = pool.store.release(&held, pool.clock.now()).await;
    let machine = released
        .map_err(refusal::store)?
        .ok_or_else(|| refusal::no_claim(&project))?;
    tracing::info!(machine_id = %machine.id, project_id = %project, "released");
    pool.count("released");
    Ok((
        StatusCode::ACCEPTED,
        Json(Released {
            message: "The project has no machine any more. The one it had is being ended.",
            project_id: project,
            machine_id: machine.id,
            instance_id: machine.instance_id,
            status: machine.status,
        }),
    ))
}

impl Pool {
    /// The machine a project has.
    async fn held(&self, project: &ProjectId) -> Result<ProjectMachine, Problem> {
        let machine = self.store.project(project).await.map_err(refusal::store)?;
        machine.ok_or_else(|| refusal::no_claim(project))
    }
}

fn answer(project: &ProjectId, handed_out: HandedOut) -> Response {
    let HandedOut { machine, is_new } = handed_out;
    let view = Json(ClaimView::from(machine));
    if !is_new {
        return (StatusCode::OK, view).into_response();
    }
    let location = format!("/projects/{project}/machine");
    (StatusCode::CREATED, [(LOCATION, location)], view).into_response()
}
