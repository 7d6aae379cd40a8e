//! The pool over HTTP: projects claim idle machines and give them back. Handlers read and write records alone: no
//! answer waits for EC2 or Auto Scaling. What the group should launch and end is refresh's work.

mod bounds;
mod candidates;
mod claim;
mod destroy;
mod hand_out;
mod refusal;
mod request;
mod status;
mod view;

use std::sync::Arc;

use axum::Router;
use haulout_api::{Code, Conventions, Problem};
use haulout_aws::{
    clock::Clock,
    emf::{Dimension, Metrics},
    store::Store,
};
use haulout_domain::pool::{ProjectId, ProjectIdError, capacity::Bounds};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use candidates::Candidates;
pub use request::{ChangePool, ClaimMachine, Destroy, RequestError};
pub use view::{ClaimView, Destroyed, PoolView, Released, StatusMachine, StatusView};

/// What the deployment says of its pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The Auto Scaling group; without one there is no pool.
    pub group: Option<String>,
    /// How many machines it should have, as long as nobody said otherwise.
    pub bounds: Bounds,
}

/// What the handlers work with.
#[derive(Debug)]
pub struct Pool {
    /// The records.
    pub store: Store,
    /// The deployment's settings.
    pub settings: Settings,
    /// Machines that were idle a moment ago.
    pub candidates: Candidates,
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
pub fn app(state: Arc<Pool>, conventions: Conventions) -> Router {
    let (routes, _) = routes(state).split_for_parts();
    haulout_api::app(routes, conventions)
}

/// The routes alone, without the conventions around them.
pub fn routes(state: Arc<Pool>) -> OpenApiRouter {
    operations().with_state(state)
}

/// Those without a prefix are for older callers.
fn operations() -> OpenApiRouter<Arc<Pool>> {
    OpenApiRouter::new()
        .routes(routes!(claim::put, claim::get, claim::delete))
        .routes(routes!(bounds::get, bounds::put))
        .routes(routes!(status::get))
        .routes(routes!(destroy::destroy))
        .routes(routes!(claim::by_path))
}

impl Pool {
    /// One more of what projects wished, and what came of it.
    fn count(&self, outcome: &'static str) {
        self.metrics
            .count("Claims", &[(Dimension::Outcome, outcome)]);
    }
}

/// The project a path names.
fn project(text: &str) -> Result<ProjectId, Problem> {
    text.parse()
        .map_err(|error: ProjectIdError| Problem::new(Code::InvalidPath, format!("Path: {error}.")))
}
