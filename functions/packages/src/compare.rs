//! What a synchronization does with one upload, one package, one object. Each step may be repeated, and beside anything
//! else that goes on.

use haulout_api::Problem;
use haulout_aws::{objects::StoredObject, telemetry::error_chain};
use haulout_domain::package::{
    ObjectFacts, ObjectKey, Package, PackageState, Upload, UploadStatus,
};

use crate::{finish::Ended, inspect::Looked, refusal, sync::Pass};

impl Pass<'_> {
    /// An upload that has not ended, as the index says.
    pub(crate) async fn upload(&mut self, upload: Upload) -> Result<(), Problem> {
        let now = self.packages.clock.now();
        let registry = &self.packages.registry;
        if upload.status == UploadStatus::Open {
            let expired = registry.update_upload(&upload.id, |upload| upload.expire(now));
            if let Some((upload, true)) = expired.await.map_err(refusal::registry)? {
                self.packages.clear(&upload).await;
                self.report.expired += 1;
            }
            return Ok(());
        }
        let read = registry
            .upload(&upload.id)
            .await
            .map_err(refusal::registry)?;
        let Some(upload) = read.filter(|it| it.status == UploadStatus::Committing) else {
            return Ok(());
        };
        let id = upload.id.clone();
        // Trouble with one upload does not keep it from the others.
        match self.packages.finish(upload).await {
            Ok(Ended::Package(_)) => self.report.committed += 1,
            Ok(Ended::Failed(..) | Ended::Aborted(_)) => self.report.failed += 1,
            Ok(Ended::Open(_, why)) => self.problem(&id, &why),
            Err(problem) => {
                let error = problem.cause().map(error_chain);
                tracing::warn!(upload_id = %id, error, "a commit could not be finished");
                self.problem(&id, &problem.detail());
            }
        }
        Ok(())
    }

    /// A package, as the index says.
    pub(crate) async fn package(&mut self, package: Package) -> Result<(), Problem> {
        let (reference, key) = (package.reference(), package.key.to_string());
        let object = self.packages.objects.head(&key).await?;
        let seen = object.as_ref().map(facts);
        let registry = &self.packages.registry;
        let observed = registry.update_package(&reference, |stored| {
            stored.key == package.key && stored.observe(seen.as_ref())
        });
        let Some((stored, is_new)) = observed.await.map_err(refusal::registry)? else {
            // Deleted meanwhile.
            return Ok(());
        };
        if is_new && stored.state == PackageState::Missing {
            tracing::error!(package = %reference, key, "a package's archive is gone");
            self.report.missing.push(reference.to_string());
        }
        let Some(object) = object.filter(|_| stored.state == PackageState::Unverified) else {
            return Ok(());
        };
        match self.packages.look(&key, &object).await? {
            Looked::Good(facts, inspection) => {
                let verified = registry.update_package(&reference, |stored| {
                    let is_good = stored.key == package.key && stored.inspected(inspection);
                    if is_good && facts.sha256.is_some() {
                        stored.sha256.clone_from(&facts.sha256);
                    }
                    is_good
                });
                if let Some((_, true)) = verified.await.map_err(refusal::registry)? {
                    self.report.verified.push(reference.to_string());
                }
            }
            Looked::Bad(reason) => self.problem(&reference, &reason),
            Looked::Changed => {}
        }
        Ok(())
    }

    /// An object in the bucket. Its upload is read before its package: an upload that ends in between has a package then.
    pub(crate) async fn object(&mut self, text: &str) -> Result<(), Problem> {
        let key: ObjectKey = match text.parse() {
            Ok(key) => key,
            Err(error) => {
                self.problem(&text, &error);
                return Ok(());
            }
        };
        let registry = &self.packages.registry;
        if let Some(id) = key.upload_id()
            && let Some(upload) = registry.upload(&id).await.map_err(refusal::registry)?
            && upload.key == key
        {
            match upload.status {
                UploadStatus::Open | UploadStatus::Committing => return Ok(()),
                UploadStatus::Failed { .. } | UploadStatus::Aborted => {
                    self.packages.objects.delete(text).await?;
                    self.report.deleted += 1;
                    return Ok(());
                }
                UploadStatus::Committed => {}
            }
        }
        match registry
            .package(key.package())
            .await
            .map_err(refusal::registry)?
        {
            Some(package) if package.key == key => {}
            Some(package) => self.problem(
                &text,
                &format!(
                    "the archive of {} is {}: delete this one",
                    package.reference(),
                    package.key
                ),
            ),
            None => self.find(key).await?,
        }
        Ok(())
    }

    /// Makes a package of an archive without one. Nobody knows who may have it.
    async fn find(&mut self, key: ObjectKey) -> Result<(), Problem> {
        let Some(object) = self.packages.objects.head(&key.to_string()).await? else {
            return Ok(());
        };
        let now = self.packages.clock.now();
        let mut package = Package::found(key, self.caller.to_owned(), &facts(&object), now);
        package.is_sensitive = true;
        let created = self.packages.registry.create_package(&package).await;
        if created.map_err(refusal::registry)? {
            let reference = package.reference();
            tracing::warn!(package = %reference, key = %package.key, "an archive without a package was found");
            self.report.found.push(reference.to_string());
        }
        Ok(())
    }
}

/// What S3 says of an object, without looking into it.
fn facts(object: &StoredObject) -> ObjectFacts {
    ObjectFacts {
        size_bytes: object.size_bytes,
        crc64nvme: object.crc64nvme.clone(),
        sha256: None,
    }
}
