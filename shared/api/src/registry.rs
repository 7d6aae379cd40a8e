//! What callers are told where the registry of packages says no, or nothing.

use haulout_aws::registry::RegistryError;
use haulout_domain::package::PackageRef;

use crate::{Code, Problem};

/// When to come back after others kept changing the same thing, in seconds.
const RETRY_AFTER_CONFLICT: u32 = 1;

/// A failed operation of the registry behind a request.
pub fn failed(error: RegistryError) -> Problem {
    match error {
        RegistryError::Aws(error) => error.into(),
        RegistryError::Conflict(_) => changing().because(error),
        RegistryError::Shape(_) => Problem::internal(error),
    }
}

/// It was something else each time it was looked at.
pub fn changing() -> Problem {
    Problem::unavailable(
        "Other requests keep changing this. Send the request again after the time in Retry-After.",
        RETRY_AFTER_CONFLICT,
    )
}

/// No record of that name and version.
pub fn unknown_package(package: &PackageRef) -> Problem {
    Problem::new(
        Code::UnknownPackage,
        format!("There is no package {package}. GET /packages lists what there is."),
    )
}
