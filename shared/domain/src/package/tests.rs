//! Tests of packages.

mod decisions;
mod names;
mod parts;
mod records;
mod stages;
mod uploads;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Inspection, NewUpload, ObjectFacts, Package, PackageRef, Part, Upload, UploadId};
use crate::identity::GroupName;

pub(super) const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub(super) fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// What somebody asks for who brings a package of this name.
pub(super) fn new_upload(name: &str) -> NewUpload {
    NewUpload {
        id: UploadId::generate(),
        package: PackageRef::new(name.parse().unwrap(), "1.0.0".parse().unwrap()),
        owner: "owner".to_owned(),
        description: Some("its weights".to_owned()),
        is_sensitive: false,
        allowed_groups: BTreeSet::new(),
        size_bytes: Some(5000),
        sha256: None,
        rule: None,
    }
}

pub(super) fn upload(name: &str) -> Upload {
    Upload::open(new_upload(name), "s3-upload".to_owned(), NOW).unwrap()
}

pub(super) fn object() -> ObjectFacts {
    ObjectFacts {
        size_bytes: 5000,
        crc64nvme: Some("AAAAAAAAAAA=".to_owned()),
        sha256: None,
    }
}

pub(super) fn inspection() -> Inspection {
    Inspection {
        entries: 3,
        unpacked_bytes: 9000,
        has_script: true,
    }
}

pub(super) fn package(name: &str) -> Package {
    Package::published(&upload(name), &object(), inspection(), NOW).unwrap()
}

pub(super) fn part(number: u32) -> Part {
    let etag = "d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
    Part { number, etag }
}
