//! What callers are told when the answer is no.

use haulout_api::{Code, Problem};
use haulout_aws::store::{Drain, StoreError};
use haulout_domain::pool::ProjectId;

/// When to ask again for a machine, in seconds: others are given back all the time.
const RETRY_AFTER_NONE_IDLE: u32 = 5;

/// A failed store operation behind a request.
pub(crate) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Aws(error) => error.into(),
        StoreError::Conflict(_) => Problem::unavailable(
            "Other requests kept changing this machine. Send the request again after the time in Retry-After.",
            1,
        )
        .because(error),
        StoreError::Shape(_) => Problem::internal(error),
    }
}

/// All machines are used, or coming up.
pub(crate) fn none_idle() -> Problem {
    Problem::new(
        Code::NoIdleMachine,
        "No machine is idle; another one is being launched. Send the request again after the time in Retry-After.",
    )
    .retry_after(RETRY_AFTER_NONE_IDLE)
}

/// No machine is handed out while the deployment is being drained.
pub(crate) fn draining(drain: &Drain) -> Problem {
    Problem::new(
        Code::Draining,
        format!(
            "The deployment is being drained since {}, and hands out no machine. Try again when an administrator has ended that with DELETE /drain.",
            drain.since
        ),
    )
}

/// The deployment names no group.
pub(crate) fn no_pool() -> Problem {
    Problem::new(
        Code::NoPool,
        "This deployment has no pool: deploy it with the parameter AutoScalingGroupName, or ask for a machine with POST /instances.",
    )
}

/// The project has no machine.
pub(crate) fn no_claim(project: &ProjectId) -> Problem {
    Problem::new(
        Code::NoClaim,
        format!("Project {project} has no machine. PUT /projects/{project}/machine gives it one."),
    )
}

/// No record of that id, or none any more.
pub(crate) fn unknown_machine(id: &str) -> Problem {
    Problem::new(
        Code::UnknownMachine,
        format!("There is no machine {id}. GET /status lists those of the pool."),
    )
}

/// Not the pool's to end.
pub(crate) fn not_of_pool(id: &str) -> Problem {
    Problem::new(
        Code::Conflict,
        format!("Machine {id} is not the pool's. DELETE /instances/{id} ends it."),
    )
}
