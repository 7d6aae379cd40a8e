//! What callers are told when the answer is no.

pub(crate) use haulout_api::registry::{changing, failed as registry, unknown_package};
use haulout_api::{Code, Problem};
use haulout_aws::directory::DirectoryError;
use haulout_domain::package::{
    PackageRef, UploadId,
    upload::{NewUploadError, UploadRefusal},
};

/// A failed operation of the directory behind a request.
pub(crate) fn directory(error: DirectoryError) -> Problem {
    match error {
        DirectoryError::Aws(error) => error.into(),
        DirectoryError::Conflict(_) => changing().because(error),
        DirectoryError::Shape(_) => Problem::internal(error),
    }
}

/// No record of that id, or none any more.
pub(crate) fn unknown_upload(id: &UploadId) -> Problem {
    Problem::new(
        Code::UnknownUpload,
        format!("There is no upload {id}. Start one with POST /init."),
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
