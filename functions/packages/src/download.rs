//! GET /download/{name}/{version}: a link to an archive, for whoever may have it.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Path, Problem, SourceAddress};
use haulout_aws::registry::{Download, DownloadStatus};
use haulout_domain::package::Package;

use crate::{Link, Packages, named, refusal, validate::Candidate};

/// For how long a download may begin. One that has begun goes on.
const LASTS: Duration = Duration::from_mins(15);

/// Get the link to a package's archive.
///
/// For whoever the package's groups and its rule let have it. Asking is written down, whatever the answer.
#[utoipa::path(
    get,
    path = "/download/{name}/{version}",
    tag = "packages",
    params(
        ("name" = haulout_domain::package::PackageName, Path, description = "The package"),
        ("version" = haulout_domain::package::PackageVersion, Path, description = "Which one of it"),
    ),
    responses(
        (status = 200, body = Link),
        (status = 404, description = "No such package", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn download(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    SourceAddress(address): SourceAddress,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Link>, Problem> {
    let reference = named(&name, &version)?;
    let package = packages.find_package(&reference).await?;
    let package = packages.seen(package).await?;
    let (decision, _) = packages.decide(&package, &Candidate::from(&caller), &address);
    let (status, outcome) = if decision.allowed {
        (DownloadStatus::Allowed, "allowed")
    } else {
        (DownloadStatus::Blocked, "blocked")
    };
    // Before the link is given: no download without a trace.
    let entry = Download {
        user_id: caller.name,
        name: package.name.clone(),
        version: package.version.clone(),
        status,
        reason: decision.reason.clone(),
        at: packages.clock.now(),
    };
    let noted = packages.registry.note_download(&entry).await;
    noted.map_err(refusal::registry)?;
    packages.count("download", outcome);
    if !decision.allowed {
        let reason = refusal::sentence(&decision.reason);
        return Err(Problem::new(Code::DownloadBlocked, reason));
    }
    packages.link(package, LASTS).await
}

impl Packages {
    /// A package as it is now: its archive may have gone.
    pub(crate) async fn seen(&self, package: Package) -> Result<Package, Problem> {
        if self.objects.head(&package.key.to_string()).await?.is_some() {
            return Ok(package);
        }
        let reference = package.reference();
        let lost = self.registry.update_package(&reference, |stored| {
            stored.key == package.key && stored.observe(None)
        });
        let lost = lost.await.map_err(refusal::registry)?;
        let (package, is_new) = lost.ok_or_else(|| refusal::unknown_package(&reference))?;
        if is_new {
            tracing::error!(package = %reference, key = %package.key, "a package's archive is gone");
        }
        Ok(package)
    }

    pub(crate) async fn link(
        &self,
        package: Package,
        lasts: Duration,
    ) -> Result<Json<Link>, Problem> {
        let now = self.clock.now();
        let key = package.key.to_string();
        // Both are made of letters, digits, dots, hyphens, underscores and plus signs.
        let file_name = format!("{}-{}.zip", package.name, package.version);
        let signed = self
            .objects
            .presign_get(&key, &file_name, now, lasts)
            .await?;
        Ok(Json(Link {
            url: signed.url,
            expires_at: now.saturating_add(lasts).map_err(Problem::internal)?,
            size_bytes: package.size_bytes,
            sha256: package.sha256,
        }))
    }
}
