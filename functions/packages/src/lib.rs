//! Lambdas: the package registry over HTTP (`packages`), and what keeps it true to the bucket by itself (`sync`). Archives
//! go to the bucket and come from it by signed URLs; here are the decisions: what becomes a package, and who gets it.

mod abort;
mod commit;
mod compare;
mod download;
mod event;
mod finish;
mod history;
mod init;
mod inspect;
mod list;
mod part;
mod pass;
mod reconcile;
mod redeem;
mod refusal;
mod register;
mod request;
mod sync;
mod uploads;
mod validate;
mod view;

use std::sync::Arc;

use axum::Router;
use haulout_api::{Caller, Code, Conventions, Problem};
use haulout_aws::{
    clock::Clock,
    directory::Directory,
    emf::{Dimension, Metrics},
    objects::Objects,
    registry::Registry,
    store::Store,
};
use haulout_domain::package::{Package, PackageName, PackageRef, PackageVersion, Upload, UploadId};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use event::EventError;
pub use pass::PassError;
pub use reconcile::ReconcileError;
pub use redeem::RedeemTicket;
pub use request::{Commit, InitUpload, RegisterPackage, Sync, Validate};
pub use view::{
    Deleted, DownloadView, HistoryView, Link, PackageList, PackageView, PartUrl, ReceivedPart,
    Started, SyncProblem, SyncReport, UploadView, Validated, ValidationResult,
};

/// Bounds of what one request, or one pass, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Archives of up to this many bytes are read whole, for their SHA-256.
    pub hashed_bytes: u64,
    /// How many uploads, packages and objects one call of POST /packages/sync looks at.
    pub sync_items: u32,
    /// How many of them a pass of the function `sync` looks at.
    pub reconcile_items: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hashed_bytes: 64 << 20,
            sync_items: 500,
            reconcile_items: 10_000,
        }
    }
}

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct Packages {
    /// The records.
    pub registry: Registry,
    /// Machines' tickets, and how far passes went.
    pub store: Store,
    /// The bucket.
    pub objects: Objects,
    /// Users, for whoever asks about somebody else.
    pub directory: Directory,
    /// Bounds.
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
pub fn app(state: Arc<Packages>, conventions: Conventions) -> Router {
    let (routes, _) = routes(state).split_for_parts();
    haulout_api::app(routes, conventions)
}

/// The routes alone, without the conventions around them.
pub fn routes(state: Arc<Packages>) -> OpenApiRouter {
    operations().with_state(state)
}

fn operations() -> OpenApiRouter<Arc<Packages>> {
    OpenApiRouter::new()
        .routes(routes!(init::init))
        .routes(routes!(part::part))
        .routes(routes!(commit::commit))
        .routes(routes!(abort::abort))
        .routes(routes!(uploads::get))
        .routes(routes!(register::register))
        .routes(routes!(list::list))
        .routes(routes!(list::get, list::delete))
        .routes(routes!(download::download))
        .routes(routes!(validate::validate))
        .routes(routes!(history::history))
        .routes(routes!(redeem::redeem))
        .routes(routes!(sync::sync))
}

impl Packages {
    /// The upload a path names, as it is now.
    async fn find_upload(&self, id: &str) -> Result<Upload, Problem> {
        let id: UploadId = id
            .parse()
            .map_err(|error| Problem::new(Code::InvalidPath, format!("Path: {error}.")))?;
        let found = self.registry.upload(&id).await.map_err(refusal::registry)?;
        found.ok_or_else(|| refusal::unknown_upload(&id))
    }

    /// The package of that name and version, as it is now.
    async fn find_package(&self, package: &PackageRef) -> Result<Package, Problem> {
        let found = self.registry.package(package).await;
        found
            .map_err(refusal::registry)?
            .ok_or_else(|| refusal::unknown_package(package))
    }

    /// One more of what a caller wished, and what came of it.
    fn count(&self, action: &'static str, outcome: &'static str) {
        let by = [(Dimension::Action, action), (Dimension::Outcome, outcome)];
        self.metrics.count("Packages", &by);
    }
}

/// The package a path names.
fn named(name: &str, version: &str) -> Result<PackageRef, Problem> {
    let refuse = |error: String| Problem::new(Code::InvalidPath, format!("Path: {error}."));
    let name: PackageName = name.parse().map_err(|error| refuse(format!("{error}")))?;
    let version: PackageVersion = version
        .parse()
        .map_err(|error| refuse(format!("{error}")))?;
    Ok(PackageRef::new(name, version))
}

/// What is restricted is shown to whoever could get it, and to whoever sees everything.
fn may_see(caller: &Caller, package: &Package) -> Result<(), Problem> {
    let is_open = !package.is_restricted() || !package.allowed_groups.is_disjoint(&caller.groups);
    if is_open {
        return Ok(());
    }
    caller.may_see(&package.owner)
}
