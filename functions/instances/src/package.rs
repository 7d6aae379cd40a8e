//! Machines with a package on them: whoever asks for one must be allowed to have the package, as by downloading it.

use haulout_api::{Caller, Code, Problem};
use haulout_aws::registry::{Download, DownloadStatus, RegistryError};
use haulout_domain::{
    package::{Package, PackageRef, Requester, judge::judge, rule::Request},
    staging::StagingSpec,
};

use crate::Instances;

impl Instances {
    /// Looks whether the caller may have the package that is to be staged, and takes over what the registry knows of it.
    pub(crate) async fn admit(
        &self,
        staging: &mut StagingSpec,
        caller: &Caller,
        address: &str,
    ) -> Result<(), Problem> {
        let Some(reference) = staging.archive.package().cloned() else {
            return Ok(());
        };
        let found = self.registry.package(&reference).await;
        let package = found
            .map_err(refused_by_registry)?
            .ok_or_else(|| unknown(&reference))?;
        self.may_have(&package, caller, address).await?;
        if !package.has_script {
            let detail = format!(
                "The package {reference} has no model/script.sh, so there is nothing to start on a machine. Upload another version that has one."
            );
            return Err(Problem::new(Code::InvalidBody, detail));
        }
        staging.package_key = Some(package.key);
        staging.sha256 = package.sha256;
        staging.size_bytes = Some(package.size_bytes);
        Ok(())
    }

    async fn may_have(
        &self,
        package: &Package,
        caller: &Caller,
        address: &str,
    ) -> Result<(), Problem> {
        let user = Requester {
            username: &caller.name,
            roles: &caller.roles,
            groups: &caller.groups,
        };
        let now = self.clock.now();
        let (decision, _) = judge(package, &user, &Request { now, address });
        let status = if decision.allowed {
            DownloadStatus::Allowed
        } else {
            DownloadStatus::Blocked
        };
        let entry = Download {
            user_id: caller.name.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            status,
            reason: format!("for a machine: {}", decision.reason),
            at: now,
        };
        // Before the machine: none without a trace.
        let noted = self.registry.note_download(&entry).await;
        noted.map_err(refused_by_registry)?;
        if decision.allowed {
            return Ok(());
        }
        self.count("create", "refused_by_package");
        let detail = format!("The package cannot be staged for you: {}.", decision.reason);
        Err(Problem::new(Code::DownloadBlocked, detail))
    }
}

fn unknown(package: &PackageRef) -> Problem {
    let detail = format!("There is no package {package}. GET /packages lists what there is.");
    Problem::new(Code::UnknownPackage, detail)
}

fn refused_by_registry(error: RegistryError) -> Problem {
    match error {
        RegistryError::Aws(error) => error.into(),
        error => Problem::internal(error),
    }
}
