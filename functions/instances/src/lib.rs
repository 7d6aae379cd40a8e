//! Machines over HTTP: create, list, read, delete. Handlers read the request, write what is wanted into the
//! record, and answer; the state machine and the sweep do the rest.

mod create;
mod delete;
mod read;
mod request;
mod view;

use std::sync::Arc;

use axum::Router;
use haulout_api::{Code, Conventions, Problem};
use haulout_aws::{
    clock::Clock,
    compute::Compute,
    emf::Metrics,
    store::{Store, StoreError},
    workflow::Workflow,
};
use haulout_domain::{
    ids::{IdError, MachineRef},
    launch::LaunchTemplateId,
    machine::Machine,
    poll::Deadlines,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use request::{CreateMachine, RequestError};
pub use view::{Deleted, MachineList, MachineView};

/// What the deployment says of machines it was not told more about.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Launch template for requests that name none.
    pub launch_template_id: Option<LaunchTemplateId>,
    /// How long each phase may take.
    pub deadlines: Deadlines,
    /// How long a failed machine that is kept lives, in minutes.
    pub keep_failed_minutes: u32,
}

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct Instances {
    /// The records.
    pub store: Store,
    /// EC2, for live state and for ending instances.
    pub compute: Compute,
    /// Step Functions.
    pub workflow: Workflow,
    /// The deployment's settings.
    pub settings: Settings,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

/// What the function's operations are.
pub fn openapi() -> OpenApi {
    operations().into_openapi()
}

/// The whole service.
pub fn app(state: Arc<Instances>, conventions: Conventions) -> Router {
    let (routes, _) = routes(state).split_for_parts();
    haulout_api::app(routes, conventions)
}

/// The routes alone, without the conventions around them.
pub fn routes(state: Arc<Instances>) -> OpenApiRouter {
    operations().with_state(state)
}

/// Under `/instances` and, for older callers, under `/api/instances`.
fn operations() -> OpenApiRouter<Arc<Instances>> {
    let machines = || {
        OpenApiRouter::new()
            .routes(routes!(create::create, read::list))
            .routes(routes!(read::get, delete::delete))
    };
    OpenApiRouter::new()
        .nest("/instances", machines())
        .nest("/api/instances", machines())
}

impl Instances {
    /// The machine a path names, as long as its record lives.
    async fn find(&self, id: &str) -> Result<Machine, Problem> {
        let reference: MachineRef = id
            .parse()
            .map_err(|error: IdError| Problem::new(Code::InvalidPath, error.to_string()))?;
        let found = match &reference {
            MachineRef::Machine(id) => self.store.get(id).await,
            MachineRef::Instance(id) => self.store.find_by_instance(id).await,
        };
        found
            .map_err(problem)?
            .filter(|machine| !machine.is_purged(self.clock.now()))
            .ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &str) -> Problem {
    Problem::new(
        Code::UnknownMachine,
        format!(
            "There is no machine {id}. Ended machines are kept for 24 hours; GET /instances lists the others."
        ),
    )
}

/// A failed store operation behind a request.
fn problem(error: StoreError) -> Problem {
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
