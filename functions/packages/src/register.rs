//! POST /register-package: makes a package of an archive that somebody put into the bucket.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Problem};
use haulout_domain::package::{
    ObjectKey, Package, PackageRef, PackageState, UploadStatus,
    record::Said,
    upload::{MAX_DESCRIPTION, MAX_GROUPS, NewUploadError},
};

use crate::{PackageView, Packages, RegisterPackage, inspect::Looked, refusal, request::checked};

/// Register an archive that is in the bucket.
///
/// It lies under `packages/{pkg_name}/{version}/`, is the only one there, and is looked into as an upload is. A package
/// that is unverified, or whose archive is back, becomes ready by this. What was found by a synchronization, or
/// registered without `is_sensitive` and `allowed_groups`, takes what is said of it here, until one of these two is said.
/// From then on, registering again changes nothing.
#[utoipa::path(
    post,
    path = "/register-package",
    tag = "packages",
    request_body = RegisterPackage,
    responses(
        (status = 200, body = PackageView),
        (status = 404, description = "There is no such archive", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "There are several such archives", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn register(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<RegisterPackage>,
) -> Result<Json<PackageView>, Problem> {
    check(&body)?;
    let reference = PackageRef::new(body.pkg_name.clone(), body.version.clone());
    let said = said(&body);
    let there = packages.registry.package(&reference).await;
    let package = match there.map_err(refusal::registry)? {
        None => packages.adopt(&reference, &said, &caller).await?,
        Some(package) => packages.take_over(package, &said, &caller).await?,
    };
    Ok(Json(package.into()))
}

/// What the caller says of a package.
fn said(body: &RegisterPackage) -> Said {
    Said {
        description: body.description.clone(),
        is_sensitive: body.is_sensitive,
        allowed_groups: body.allowed_groups.clone(),
        rule: body.rule.clone(),
    }
}

fn check(body: &RegisterPackage) -> Result<(), Problem> {
    checked(body.rule.clone())?;
    let characters = body.description.as_ref().map_or(0, |it| it.chars().count());
    if characters > MAX_DESCRIPTION {
        return Err(refusal::new_upload(&NewUploadError::Description(
            characters,
        )));
    }
    let groups = body.allowed_groups.as_ref().map_or(0, BTreeSet::len);
    if groups > MAX_GROUPS {
        return Err(refusal::new_upload(&NewUploadError::Groups(groups)));
    }
    Ok(())
}

impl Packages {
    /// Registers what has a record already: what was found takes the caller's word, anything else stays as it is.
    async fn take_over(
        &self,
        package: Package,
        said: &Said,
        caller: &Caller,
    ) -> Result<Package, Problem> {
        let is_undescribed = package.is_undescribed;
        if is_undescribed {
            caller.may_change(&package.owner)?;
        }
        let package = match package.state {
            PackageState::Ready => package,
            PackageState::Missing | PackageState::Unverified => self.verify(package).await?,
        };
        if !is_undescribed {
            return Ok(package);
        }
        self.describe(package, said, caller).await
    }

    /// Looks into the archive of a package that nobody looked into since it came, or came back.
    async fn verify(&self, package: Package) -> Result<Package, Problem> {
        let (reference, key) = (package.reference(), package.key.to_string());
        let object = self.objects.head(&key).await?;
        let object = object.ok_or_else(|| no_archive(&reference))?;
        let (facts, inspection) = match self.look(&key, &object).await? {
            Looked::Good(facts, inspection) => (facts, inspection),
            Looked::Bad(reason) => return Err(refused(&reason)),
            Looked::Changed => return Err(refusal::changing()),
        };
        let verified = self.registry.update_package(&reference, |stored| {
            if stored.key != package.key {
                return;
            }
            stored.observe(Some(&facts));
            if stored.inspected(inspection) {
                stored.sha256 = facts.sha256.clone().or_else(|| stored.sha256.clone());
            }
        });
        let verified = verified.await.map_err(refusal::registry)?;
        let (package, ()) = verified.ok_or_else(|| refusal::unknown_package(&reference))?;
        Ok(package)
    }

    /// Says what a package is that was found, if nobody was faster.
    async fn describe(
        &self,
        package: Package,
        said: &Said,
        caller: &Caller,
    ) -> Result<Package, Problem> {
        let reference = package.reference();
        let described = self.registry.update_package(&reference, |stored| {
            stored.key == package.key && stored.describe(said, &caller.name)
        });
        let described = described.await.map_err(refusal::registry)?;
        let (package, is_new) = described.ok_or_else(|| refusal::unknown_package(&reference))?;
        if is_new {
            tracing::info!(package = %reference, by = caller.name, is_sensitive = package.is_sensitive, "an archive that was found is described");
            self.count("register", "described");
        }
        Ok(package)
    }

    /// Makes a record of an archive that has none.
    async fn adopt(
        &self,
        reference: &PackageRef,
        said: &Said,
        caller: &Caller,
    ) -> Result<Package, Problem> {
        let key = self.only_archive(reference).await?;
        let object = self.objects.head(&key.to_string()).await?;
        let object = object.ok_or_else(|| no_archive(reference))?;
        let package = match self.look(&key.to_string(), &object).await? {
            Looked::Good(facts, inspection) => {
                let (now, owner) = (self.clock.now(), caller.name.clone());
                let mut package = Package::found(key, owner, &facts, now).undescribed();
                package.inspected(inspection);
                package.describe(said, &caller.name);
                package
            }
            Looked::Bad(reason) => return Err(refused(&reason)),
            Looked::Changed => return Err(refusal::changing()),
        };
        let created = self.registry.create_package(&package).await;
        if created.map_err(refusal::registry)? {
            tracing::info!(package = %reference, by = caller.name, "an archive is registered");
            self.count("register", "done");
            return Ok(package);
        }
        // Somebody was faster; or S3's event was, and nobody has said yet whose it is.
        let package = self.find_package(reference).await?;
        self.take_over(package, said, caller).await
    }

    /// The archive of a version, as long as there is one, and no upload is under way to it.
    async fn only_archive(&self, reference: &PackageRef) -> Result<ObjectKey, Problem> {
        let page = self
            .objects
            .list(&ObjectKey::prefix(reference), None)
            .await?;
        let mut found = Vec::new();
        for key in page.keys {
            let Ok(key) = key.parse::<ObjectKey>() else {
                continue;
            };
            let upload = match key.upload_id() {
                Some(id) => self.registry.upload(&id).await.map_err(refusal::registry)?,
                None => None,
            };
            if upload.is_none_or(|upload| upload.status == UploadStatus::Committed) {
                found.push(key);
            }
        }
        match <[ObjectKey; 1]>::try_from(found) {
            Ok([key]) => Ok(key),
            Err(found) if found.is_empty() => Err(no_archive(reference)),
            Err(found) => Err(Problem::new(
                Code::Conflict,
                format!(
                    "There are {} archives under {}: delete all but one of them.",
                    found.len(),
                    ObjectKey::prefix(reference)
                ),
            )),
        }
    }
}

fn no_archive(package: &PackageRef) -> Problem {
    Problem::new(
        Code::UnknownPackage,
        format!(
            "The bucket has no archive of {package}: put one under {}, with a name that ends with {}, or upload it with POST /init.",
            ObjectKey::prefix(package),
            ObjectKey::EXTENSION
        ),
    )
}

fn refused(reason: &str) -> Problem {
    Problem::new(Code::PackageRefused, refusal::sentence(reason))
}
