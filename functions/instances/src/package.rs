//! Machines with a package on them: whoever asks for one must be allowed to have the package, as by downloading it.

use haulout_api::{Caller, Code, Problem};
use haulout_aws::registry::{Download, DownloadStatus};
use haulout_domain::{
    package::{Package, Requester, judge::judge, rule::Request},
    staging::StagingSpec,
};

use crate::{Instances, refusal};

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
            .map_err(refusal::registry)?
            .ok_or_else(|| refusal::unknown_package(&reference))?;
        self.may_have(&package, caller, address).await?;
        package.fits_machines().map_err(|unfit| {
            let detail = format!("{}.", refusal::capital(&unfit.to_string()));
            Problem::new(Code::InvalidBody, detail)
        })?;
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
        noted.map_err(refusal::registry)?;
        if decision.allowed {
            return Ok(());
        }
        self.count("create", "refused_by_package");
        let detail = format!("The package cannot be staged for you: {}.", decision.reason);
        Err(Problem::new(Code::DownloadBlocked, detail))
    }
}
