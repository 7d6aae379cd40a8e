//! What callers are told when the answer is no.

use haulout_api::{Code, Problem};
use haulout_aws::{directory::DirectoryError, registry::RegistryError};
use haulout_domain::package::{
    PackageRef, UploadId,
    upload::{NewUploadError, UploadRefusal},
};

/// When to come back after others kept changing the same thing, in seconds.
const RETRY_AFTER_CONFLICT: u32 = 1;

/// A failed operation of the registry behind a request.
pub(crate) fn registry(error: RegistryError) -> Problem {
    match error {
        RegistryError::Aws(error) => error.into(),
        RegistryError::Conflict(_) => changing().because(error),
        RegistryError::Shape(_) => Problem::internal(error),
    }
}

/// A failed operation of the directory behind a request.
pub(crate) fn directory(error: DirectoryError) -> Problem {
    match error {
        DirectoryError::Aws(error) => error.into(),
        DirectoryError::Conflict(_) => changing().because(error),
        DirectoryError::Shape(_) => Problem::internal(error),
    }
}

/// It was something else each time it was looked at.
pub(crate) fn changing() -> Problem {
    Problem::unavailable(
        "Other requests keep changing this. Send the request again after the time in Retry-After.",
        RETRY_AFTER_CONFLICT,
    )
}

/// No record of that id, or none any more.
pub(crate) fn unknown_upload(id: &UploadId) -> Problem {
    Problem::new(
        Code::UnknownUpload,
        format!("There is no upload {id}. Start one with POST /init."),
    )
}

/// No record of that name and version.
pub(crate) fn unknown_package(package: &PackageRef) -> Problem {
    Problem::new(
        Code::UnknownPackage,
        format!("There is no package {package}. GET /packages lists what there is."),
    )
}

/// The first upload of a version stays.
pub(crate) fn version_exists(package: &PackageRef) -> Problem {
    Problem::new(
        Code::VersionExists,
        format!("{}.", version_exists_reason(package)),
    )
}

/// The same, as the reason of an upload that came second.
pub(crate) fn version_exists_reason(package: &PackageRef) -> String {
    format!("{package} is there already, and versions do not change: choose another version")
}

/// What the request alone shows to be wrong.
pub(crate) fn new_upload(error: &NewUploadError) -> Problem {
    Problem::new(Code::InvalidBody, format!("Body: {error}."))
}

/// An upload that does not do what it is asked to.
pub(crate) fn upload(package: &PackageRef, refusal: &UploadRefusal) -> Problem {
    let code = match refusal {
        UploadRefusal::Expired(_) => Code::Expired,
        UploadRefusal::Parts(_) => Code::InvalidParts,
        UploadRefusal::Failed(reason) => return failed(package, reason),
        UploadRefusal::Aborted
        | UploadRefusal::Committing
        | UploadRefusal::OtherParts
        | UploadRefusal::Committed => Code::UploadEnded,
    };
    Problem::new(code, sentence(&refusal.to_string()))
}

/// An upload that did not become a package.
pub(crate) fn failed(package: &PackageRef, reason: &str) -> Problem {
    if reason == version_exists_reason(package) {
        return version_exists(package);
    }
    Problem::new(
        Code::PackageRefused,
        format!("{} Start another upload with POST /init.", sentence(reason)),
    )
}

/// A capital at its beginning, a full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|it| it.to_ascii_uppercase());
    let text: String = first.into_iter().chain(characters).collect();
    format!("{}.", text.trim_end_matches('.'))
}
