//! Whether a machine can stage a package, and whether the pool's machines may.

use super::{
    decide::of_state,
    name::PackageRef,
    record::{Package, PackageState},
};
use crate::staging::limit::{MOST_RATIO, most_unpacked};

/// Why no machine can stage a package. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing could be started.
    #[error(
        "the package {0} has no model/script.sh, so there is nothing to start on a machine: upload another version that has one"
    )]
    NoScript(PackageRef),
    /// Machines do not unpack that much.
    #[error(
        "the package {package} unpacks to {unpacked} bytes, and a machine unpacks {most} bytes of it at most ({MOST_RATIO} times the archive's size, 4 GiB always): upload another version with less in it, or one that is packed less tightly (zip -0)"
    )]
    TooMuch {
        /// Which.
        package: PackageRef,
        /// Its entries' bytes.
        unpacked: u64,
        /// What is allowed.
        most: u64,
    },
}

/// Why the pool's machines do not get a package. Fit for whoever configures the deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolRefusal {
    /// It is not there.
    #[error(
        "there is no package {0}: upload it, or set PoolPackage to one that GET /packages lists"
    )]
    Unknown(PackageRef),
    /// Nobody gets it now.
    #[error("the package {package} cannot be had: {why}")]
    NotReady {
        /// Which.
        package: PackageRef,
        /// Why, and what to do.
        why: &'static str,
    },
    /// It is not everybody's.
    #[error(
        "the package {0} is only for its owner and members of its groups, and whoever claims a machine of the pool would get it: set PoolPackage to one that is neither sensitive nor has allowed_groups"
    )]
    Restricted(PackageRef),
    /// Its rule would have to be asked about whoever claims the machine.
    #[error(
        "the package {0} has a rule, and whoever claims a machine of the pool would get it: set PoolPackage to one without a rule"
    )]
    Ruled(PackageRef),
    /// No machine could stage it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl Package {
    /// Whether a machine can stage it, as far as its archive's directory tells. One that nobody has looked into cannot.
    pub fn fits_machines(&self) -> Result<(), Unfit> {
        if !self.has_script {
            return Err(Unfit::NoScript(self.reference()));
        }
        let most = most_unpacked(self.size_bytes);
        if self.unpacked_bytes > most {
            return Err(Unfit::TooMuch {
                package: self.reference(),
                unpacked: self.unpacked_bytes,
                most,
            });
        }
        Ok(())
    }

    /// Whether a machine can stage it now.
    pub fn can_be_staged(&self) -> bool {
        self.state == PackageState::Ready && self.fits_machines().is_ok()
    }
}

/// What the pool's machines get under this name. Whoever claims one has what is on it, so it must be everybody's.
pub fn admit_to_pool(name: &PackageRef, found: Option<Package>) -> Result<Package, PoolRefusal> {
    let package = found.ok_or_else(|| PoolRefusal::Unknown(name.clone()))?;
    let named = || name.clone();
    of_state(package.state).map_err(|why| PoolRefusal::NotReady {
        package: named(),
        why,
    })?;
    if package.is_restricted() {
        return Err(PoolRefusal::Restricted(named()));
    }
    if package.rule.is_some() {
        return Err(PoolRefusal::Ruled(named()));
    }
    package.fits_machines()?;
    Ok(package)
}
