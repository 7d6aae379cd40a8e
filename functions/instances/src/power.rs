//! POST /instances/{id}/stop and /start: writes what is wanted, and asks for it. What happens then, EC2's events,
//! the state machine and the sweep see through.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use haulout_api::{Caller, Path, Problem};
use haulout_aws::{progress, telemetry::error_chain};
use haulout_domain::machine::Machine;
use http::StatusCode;

use crate::{Instances, refusal, view::MachineView};

type Accepted = (StatusCode, Json<MachineView>);

/// Stop a machine.
///
/// Its volumes are kept, and paid for; its public address is given up. A spot machine cannot be stopped. Stopping
/// again changes nothing.
#[utoipa::path(
    post,
    path = "/{id}/stop",
    tag = "machines",
    params(("id" = haulout_domain::ids::MachineRef, Path, description = "m-… or i-…")),
    responses(
        (status = 202, description = "It is stopping, or has stopped", body = MachineView),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "It is neither ready nor failed, it is a spot machine, or EC2 refuses", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn stop(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Accepted, Problem> {
    let found = instances.held_by(&caller, &id).await?;
    let now = instances.clock.now();
    let (machine, stopped) = instances
        .store
        .update(&found.id, |machine| {
            let before = machine.status;
            machine.stop(now).map(|()| machine.status != before)
        })
        .await
        .map_err(refusal::store)?
        .ok_or_else(|| refusal::unknown(&id))?;
    let is_new = stopped.map_err(refusal::power)?;
    progress::report(&instances.metrics, &found, &machine);
    instances.ask_to_stop(&machine, is_new).await?;
    Ok((StatusCode::ACCEPTED, Json(MachineView::stored(machine))))
}

/// Start a stopped machine.
///
/// It is brought up as after its launch: `starting` until EC2 says running, then its agent, then what is staged on
/// it once more. Its public address changes. Starting again changes nothing.
#[utoipa::path(
    post,
    path = "/{id}/start",
    tag = "machines",
    params(("id" = haulout_domain::ids::MachineRef, Path, description = "m-… or i-…")),
    responses(
        (status = 202, description = "It is starting, or has started", body = MachineView),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "It is not stopped", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn start(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Accepted, Problem> {
    let found = instances.held_by(&caller, &id).await?;
    let now = instances.clock.now();
    let (machine, started) = instances
        .store
        .update(&found.id, |machine| machine.start(now))
        .await
        .map_err(refusal::store)?
        .ok_or_else(|| refusal::unknown(&id))?;
    started.map_err(refusal::power)?;
    progress::report(&instances.metrics, &found, &machine);
    // Also when it was asked for before: that request may have died in between.
    if machine.status.is_provisioning() {
        instances.run(&machine).await;
    }
    Ok((StatusCode::ACCEPTED, Json(MachineView::stored(machine))))
}

impl Instances {
    /// Asks EC2 to stop the instance. Trouble is left to the sweep, which asks again; a refusal takes the wish back,
    /// but only a new one: after an earlier request, EC2 may be stopping it already.
    async fn ask_to_stop(&self, machine: &Machine, is_new: bool) -> Result<(), Problem> {
        let Some(instance) = machine.to_stop() else {
            return Ok(());
        };
        let error = match self.compute.stop(instance).await {
            Ok(()) => {
                tracing::info!(machine_id = %machine.id, "stopping");
                return Ok(());
            }
            Err(error) => error,
        };
        if error.is_transient() || !is_new {
            tracing::error!(
                machine_id = %machine.id,
                error = error_chain(&error),
                "the instance could not be stopped; left to the sweep"
            );
            return Ok(());
        }
        let now = self.clock.now();
        let failure = error.failure();
        let reverted = self
            .store
            .update(&machine.id, |machine| machine.stop_refused(&failure, now))
            .await
            .map_err(refusal::store)?;
        if let Some((after, ())) = reverted {
            progress::report(&self.metrics, machine, &after);
        }
        Err(refusal::aws(error))
    }
}
