//! Machines over HTTP: create, list, read, start, stop, delete, and the drain that ends them all. Handlers read the
//! request, write what is wanted into the record, and answer; the state machine and the sweep do the rest.

mod checks;
mod complete;
mod create;
mod delete;
mod drain;
mod metrics;
mod package;
mod power;
mod read;
mod refusal;
mod request;
mod view;
mod wait;

use std::sync::Arc;

use axum::Router;
use haulout_api::{Caller, Code, Conventions, Problem};
use haulout_aws::{
    catalog::Catalog,
    clock::Clock,
    compute::Compute,
    emf::{Dimension, Metrics},
    figures::Figures,
    registry::Registry,
    store::Store,
    workflow::Workflow,
};
use haulout_domain::{
    ids::{IdError, MachineRef},
    machine::Machine,
    plan::LaunchDefaults,
    poll::Deadlines,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use complete::RequestError;
pub use drain::DrainView;
pub use metrics::{InstanceMetrics, Percent, Value};
pub use request::{CreateMachine, CreateSecurityGroup};
pub use view::{Deleted, MachineList, MachineView, SpotStatusView};

/// Whose a machine of the pool is that nobody has claimed. No caller has this name.
const NOBODY: &str = "";

/// What the deployment says of machines it was not told more about.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What launches are by default, and what is allowed.
    pub launch: LaunchDefaults,
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
    /// EC2, for live state and for stopping and ending instances.
    pub compute: Compute,
    /// Images and launch templates.
    pub catalog: Catalog,
    /// CloudWatch, for instances' figures.
    pub figures: Figures,
    /// Packages.
    pub registry: Registry,
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
            .routes(routes!(power::start))
            .routes(routes!(power::stop))
            .routes(routes!(metrics::get))
    };
    OpenApiRouter::new()
        .routes(routes!(drain::start, drain::get, drain::end))
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
            .map_err(refusal::store)?
            .filter(|machine| !machine.is_purged(self.clock.now()))
            .ok_or_else(|| refusal::unknown(id))
    }

    /// The machine a path names, for a caller who may see it.
    async fn seen_by(&self, caller: &Caller, id: &str) -> Result<Machine, Problem> {
        let machine = self.find(id).await?;
        caller.may_see(machine.holder().unwrap_or(NOBODY))?;
        Ok(machine)
    }

    /// The machine a path names, for a caller who may change it.
    async fn held_by(&self, caller: &Caller, id: &str) -> Result<Machine, Problem> {
        let machine = self.find(id).await?;
        caller.may_change(machine.holder().unwrap_or(NOBODY))?;
        Ok(machine)
    }

    /// One more of what a caller wished, and what came of it. What shows in a machine's timeline,
    /// [`haulout_aws::progress`] counts.
    fn count(&self, action: &'static str, outcome: &'static str) {
        let by = [(Dimension::Action, action), (Dimension::Outcome, outcome)];
        self.metrics.count("Transitions", &by);
    }
}
