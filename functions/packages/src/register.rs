//! POST /register-package: makes a package of an archive that somebody put into the bucket.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Problem};
use haulout_domain::package::{
    ObjectKey, Package, PackageRef, PackageState, UploadStatus,
    upload::{MAX_DESCRIPTION, MAX_GROUPS, NewUploadError},
};

use crate::{PackageView, Packages, RegisterPackage, inspect::Looked, refusal, request::checked};

/// Register an archive that is in the bucket.
///
/// It lies under `packages/{pkg_name}/{version}/`, is the only one there, and is looked into as an upload is. A package
/// that is unverified, or whose archive is back, becomes ready by this. Registering again changes nothing.
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
    let there = packages.registry.package(&reference).await;
    let package = match there.map_err(refusal::registry)? {
        Some(package) if package.state == PackageState::Ready => package,
        Some(package) => packages.verify(package, &body).await?,
        None => packages.adopt(&reference, &body, &caller).await?,
    };
    Ok(Json(package.into()))
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

/// What the caller says of a package. What is not said stays.
fn describe(package: &mut Package, body: &RegisterPackage) {
    if body.description.is_some() {
        package.description.clone_from(&body.description);
    }
    if let Some(is_sensitive) = body.is_sensitive {
        package.is_sensitive = is_sensitive;
    }
    if let Some(groups) = &body.allowed_groups {
        package.allowed_groups.clone_from(groups);
    }
    if body.rule.is_some() {
        package.rule.clone_from(&body.rule);
    }
}

impl Packages {
    /// Looks into the archive of a package that nobody looked into since it came, or came back.
    async fn verify(&self, package: Package, body: &RegisterPackage) -> Result<Package, Problem> {
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
                describe(stored, body);
            }
        });
        let verified = verified.await.map_err(refusal::registry)?;
        let (package, ()) = verified.ok_or_else(|| refusal::unknown_package(&reference))?;
        Ok(package)
    }

    /// Makes a record of an archive that has none.
    async fn adopt(
        &self,
        reference: &PackageRef,
        body: &RegisterPackage,
        caller: &Caller,
    ) -> Result<Package, Problem> {
        let key = self.only_archive(reference).await?;
        let object = self.objects.head(&key.to_string()).await?;
        let object = object.ok_or_else(|| no_archive(reference))?;
        let mut package = match self.look(&key.to_string(), &object).await? {
            Looked::Good(facts, inspection) => {
                let (now, owner) = (self.clock.now(), caller.name.clone());
                let mut package = Package::found(key, owner, &facts, now);
                package.inspected(inspection);
                package
            }
            Looked::Bad(reason) => return Err(refused(&reason)),
            Looked::Changed => return Err(refusal::changing()),
        };
        describe(&mut package, body);
        let created = self.registry.create_package(&package).await;
        if created.map_err(refusal::registry)? {
            tracing::info!(package = %reference, by = caller.name, "an archive is registered");
            self.count("register", "done");
            return Ok(package);
        }
        // Somebody was faster; theirs stays.
        self.find_package(reference).await
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
