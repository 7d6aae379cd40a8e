//! DELETE /instances/{id}: writes what is wanted, asks EC2, and leaves seeing it through to the state
//! machine and the sweep.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use haulout_api::{Caller, Path, Problem};
use haulout_aws::{progress, telemetry::error_chain};
use haulout_domain::machine::Machine;
use http::StatusCode;

use crate::{Instances, refusal, view::Deleted};

/// Terminate a machine.
///
/// In any status: provisioning is stopped, a stopped machine ends with its volumes, and no instance is left.
/// Deleting again changes nothing.
#[utoipa::path(
    delete,
    path = "/{id}",
    tag = "machines",
    params(("id" = haulout_domain::ids::MachineRef, Path, description = "m-… or i-…")),
    responses(
        (status = 202, description = "It is ending, or has ended", body = Deleted),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn delete(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Deleted>), Problem> {
    let found = instances.held_by(&caller, &id).await?;
    let now = instances.clock.now();
    let reason = format!("deleted by {}", caller.name);
    let (machine, ()) = instances
        .store
        .update(&found.id, |machine| {
            machine.terminate(&reason, now);
        })
        .await
        .map_err(refusal::store)?
        .ok_or_else(|| refusal::unknown(&id))?;
    progress::report(&instances.metrics, &found, &machine);
    instances.end(&machine).await;
    Ok((
        StatusCode::ACCEPTED,
        Json(Deleted {
            message: message(&machine),
            id: machine.id,
            instance_id: machine.instance_id,
            status: machine.status,
        }),
    ))
}

impl Instances {
    /// Asks EC2 to end the instance right away. Whatever prevents it, the record says what is wanted, and the
    /// execution or the sweep sees to it.
    async fn end(&self, machine: &Machine) {
        // The pool's are ended in their group, which would launch another one otherwise.
        if machine.pool.is_some() {
            return;
        }
        let (Some(instance), None) = (&machine.instance_id, machine.closed_at) else {
            return;
        };
        match self.compute.terminate(instance).await {
            Ok(()) => tracing::info!(machine_id = %machine.id, "terminating"),
            Err(error) => tracing::error!(
                machine_id = %machine.id,
                error = error_chain(&error),
                "the instance could not be terminated; left to the sweep"
            ),
        }
    }
}

fn message(machine: &Machine) -> String {
    let message = if machine.closed_at.is_some() {
        "The machine has ended."
    } else {
        "The machine is being terminated."
    };
    message.to_owned()
}
