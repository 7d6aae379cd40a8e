//! What a pass does with one upload, one package, one object. Each step may be repeated, and beside anything else that
//! goes on.

use haulout_api::Problem;
use haulout_aws::{objects::StoredObject, telemetry::error_chain};
use haulout_domain::package::{
    ObjectFacts, ObjectKey, Package, PackageState, Upload, UploadStatus,
};

use crate::{
    finish::Ended,
    inspect::Looked,
    pass::{Pass, Trouble},
};

impl Pass<'_> {
    /// An upload that has not ended, as the index says.
    pub(crate) async fn upload(&mut self, upload: Upload) -> Result<(), Trouble> {
        let now = self.packages.clock.now();
        let registry = &self.packages.registry;
        if upload.status == UploadStatus::Open {
            let expired = registry.update_upload(&upload.id, |upload| upload.expire(now));
            if let Some((upload, true)) = expired.await? {
                self.packages.clear(&upload).await;
                self.report.expired += 1;
            }
            return Ok(());
        }
        let read = registry.upload(&upload.id).await?;
        let Some(upload) = read.filter(|it| it.status == UploadStatus::Committing) else {
            return Ok(());
        };
        let id = upload.id.clone();
        match self.packages.finish(upload).await {
            Ok(Ended::Package(_)) => self.report.committed += 1,
            Ok(Ended::Failed(..) | Ended::Aborted(_)) => self.report.failed += 1,
            Ok(Ended::Open(_, why)) => self.problem(&id, &why),
            Err(problem) => self.unfinished(&id, &problem),
        }
        Ok(())
    }

    fn unfinished(&mut self, id: &impl ToString, problem: &Problem) {
        let error = problem.cause().map(error_chain);
        tracing::warn!(
            upload_id = id.to_string(),
            error,
            "a commit could not be finished"
        );
        self.problem(id, &problem.detail());
    }

    /// A package, as the index says.
    pub(crate) async fn package(&mut self, package: Package) -> Result<(), Trouble> {
        let (reference, key) = (package.reference(), package.key.to_string());
        let object = self.packages.objects.head(&key).await?;
        let seen = object.as_ref().map(facts);
        let registry = &self.packages.registry;
        let observed = registry.update_package(&reference, |stored| {
            stored.key == package.key && stored.observe(seen.as_ref())
        });
        let Some((stored, is_new)) = observed.await? else {
            // Deleted meanwhile.
            return Ok(());
        };
        if is_new && stored.state == PackageState::Missing {
            tracing::error!(package = %reference, key, "a package's archive is gone");
            self.packages.count("sync", "missing");
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
                if let Some((_, true)) = verified.await? {
                    self.report.verified.push(reference.to_string());
                }
            }
            Looked::Bad(reason) => self.problem(&reference, &reason),
            Looked::Changed => {}
        }
        Ok(())
    }

    /// An object in the bucket, or one that was; the package whose archive it is, if there was one before. Its upload is
    /// read before its package: an upload that ends in between has a package then.
    pub(crate) async fn object(&mut self, text: &str) -> Result<Option<Package>, Trouble> {
        let key: ObjectKey = match text.parse() {
            Ok(key) => key,
            Err(error) => {
                self.problem(&text, &error);
                return Ok(None);
            }
        };
        let registry = &self.packages.registry;
        if let Some(id) = key.upload_id()
            && let Some(upload) = registry.upload(&id).await?
            && upload.key == key
        {
            match upload.status {
                UploadStatus::Open | UploadStatus::Committing => return Ok(None),
                UploadStatus::Failed { .. } | UploadStatus::Aborted => {
                    self.delete(text).await?;
                    return Ok(None);
                }
                UploadStatus::Committed => {}
            }
        }
        match registry.package(key.package()).await? {
            Some(package) if package.key == key => return Ok(Some(package)),
            Some(package) => self.second(text, &package).await?,
            None => self.find(key).await?,
        }
        Ok(None)
    }

    /// Deletes what should not be there, if it is: a bucket that keeps versions writes down every deletion, also one of
    /// nothing, and tells of it, which would bring us here again.
    async fn delete(&mut self, key: &str) -> Result<(), Trouble> {
        let objects = &self.packages.objects;
        if objects.head(key).await?.is_some() {
            objects.delete(key).await?;
            self.report.deleted += 1;
        }
        Ok(())
    }

    /// An archive of a version that has another one.
    async fn second(&mut self, key: &str, package: &Package) -> Result<(), Trouble> {
        if self.packages.objects.head(key).await?.is_some() {
            let (reference, its) = (package.reference(), &package.key);
            self.problem(
                &key,
                &format!("the archive of {reference} is {its}: delete this one"),
            );
        }
        Ok(())
    }

    /// Makes a package of an archive without one. Nobody knows who may have it.
    async fn find(&mut self, key: ObjectKey) -> Result<(), Trouble> {
        let Some(object) = self.packages.objects.head(&key.to_string()).await? else {
            return Ok(());
        };
        let now = self.packages.clock.now();
        let package =
            Package::found(key, self.owner.to_owned(), &facts(&object), now).undescribed();
        if self.packages.registry.create_package(&package).await? {
            let reference = package.reference();
            tracing::warn!(package = %reference, key = %package.key, "an archive without a package was found");
            self.packages.count("sync", "found");
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
