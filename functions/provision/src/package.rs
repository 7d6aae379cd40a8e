//! The package that the pool's machines stage: whoever asks for a machine of his own was judged then; here nobody asked, so
//! it is judged when the command is sent, and must be everybody's.

use haulout_aws::registry::{Download, DownloadStatus};
use haulout_domain::{
    failure::{Failure, FailureCode},
    machine::Machine,
    package::{PackageRef, admit_to_pool},
    pool::life::POOL_OWNER,
    staging::StagingSpec,
};

use crate::{Provision, StepError};

impl Provision {
    /// What is staged on the machine. Of a pool's package, as the registry knows it now.
    pub(crate) async fn settled(
        &self,
        machine: &Machine,
        staging: &StagingSpec,
    ) -> Result<StagingSpec, StepError> {
        match staging.archive.package() {
            Some(package) if machine.pool.is_some() => self.of_pool(package, staging).await,
            _ => Ok(staging.clone()),
        }
    }

    async fn of_pool(
        &self,
        name: &PackageRef,
        staging: &StagingSpec,
    ) -> Result<StagingSpec, StepError> {
        let admitted = admit_to_pool(name, self.registry.package(name).await?);
        let (status, reason) = match &admitted {
            Ok(_) => (
                DownloadStatus::Allowed,
                "the package is open to every user".to_owned(),
            ),
            Err(refusal) => (DownloadStatus::Blocked, refusal.to_string()),
        };
        // Before the command: no machine gets one without a trace.
        let entry = Download {
            user_id: POOL_OWNER.to_owned(),
            name: name.name.clone(),
            version: name.version.clone(),
            status,
            reason: format!("for a machine of the pool: {reason}"),
            at: self.clock.now(),
        };
        self.registry.note_download(&entry).await?;
        let package = admitted.map_err(|refusal| {
            Failure::new(FailureCode::PoolPackageRefused, refusal.to_string())
        })?;
        Ok(StagingSpec {
            archive: staging.archive.clone(),
            package_key: Some(package.key),
            sha256: package.sha256,
            size_bytes: Some(package.size_bytes),
        })
    }
}
