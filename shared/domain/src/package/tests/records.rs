//! A package's record, and what is seen of its object.

use super::{
    super::{
        ObjectFacts, Package, PackageState,
        record::{Mismatch, Said, compare},
    },
    NOW, groups, inspection, object, package, upload,
};
use crate::blob::Sha256Hex;

fn sha(digit: &str) -> Sha256Hex {
    digit.repeat(64).parse().unwrap()
}

#[test]
fn an_upload_becomes_a_package() {
    let mut upload = upload("model");
    upload.is_sensitive = true;
    upload.allowed_groups = groups(&["research"]);
    upload.rule = Some("true".into());
    upload.sha256 = Some(sha("a"));
    let package = Package::published(&upload, &object(), inspection(), NOW).unwrap();
    assert_eq!(package.reference(), upload.package);
    assert_eq!(
        (package.state, package.has_script),
        (PackageState::Ready, true)
    );
    assert_eq!(
        (package.entries, package.unpacked_bytes, package.size_bytes),
        (3, 9000, 5000)
    );
    assert_eq!(
        (&package.key, package.upload_id.as_ref()),
        (&upload.key, Some(&upload.id))
    );
    assert_eq!(
        (&package.owner, &package.rule),
        (&upload.owner, &upload.rule)
    );
    assert_eq!(
        (&package.sha256, &package.crc64nvme),
        (&upload.sha256, &object().crc64nvme)
    );
    assert!(package.is_sensitive && package.is_restricted());
    let written = serde_json::to_value(&package).unwrap();
    assert_eq!(written["state"], "ready");
    assert_eq!(serde_json::from_value::<Package>(written).unwrap(), package);
}

#[test]
fn what_is_not_as_announced_becomes_none() {
    let mut upload = upload("model");
    upload.size_bytes = Some(4999);
    let size = Mismatch::Size {
        announced: 4999,
        actual: 5000,
    };
    assert_eq!(compare(&upload, &object()), Err(size.clone()));
    assert_eq!(
        Package::published(&upload, &object(), inspection(), NOW),
        Err(size)
    );
    upload.size_bytes = None;
    upload.sha256 = Some(sha("a"));
    assert_eq!(compare(&upload, &object()), Ok(()));
    let computed = |digit| ObjectFacts {
        sha256: Some(sha(digit)),
        ..object()
    };
    assert_eq!(compare(&upload, &computed("a")), Ok(()));
    assert!(matches!(
        compare(&upload, &computed("b")),
        Err(Mismatch::Checksum { .. })
    ));
}

#[test]
fn naming_groups_restricts_a_package() {
    let open = package("model");
    assert!(!open.is_restricted());
    let restricted = Package {
        allowed_groups: groups(&["research"]),
        ..open
    };
    assert!(restricted.is_restricted());
}

#[test]
fn a_package_follows_its_object() {
    let mut package = package("model");
    assert!(!package.observe(Some(&object())));
    assert!(package.observe(None) && !package.observe(None));
    assert_eq!(package.state, PackageState::Missing);
    assert!(!package.inspected(inspection()));
    assert!(package.observe(Some(&object())) && !package.observe(Some(&object())));
    assert_eq!(package.state, PackageState::Unverified);
    assert!(package.inspected(inspection()) && !package.inspected(inspection()));
    assert_eq!(package.state, PackageState::Ready);
    // Other bytes in its place: other checksums, and nobody has looked.
    package.sha256 = Some(sha("a"));
    let other = ObjectFacts {
        crc64nvme: Some("BBBBBBBBBBB=".into()),
        ..object()
    };
    assert!(package.observe(Some(&other)) && !package.observe(Some(&other)));
    assert_eq!(
        (package.state, &package.sha256),
        (PackageState::Unverified, &None)
    );
    assert_eq!(package.crc64nvme, other.crc64nvme);
    // An object without a checksum is no other one.
    package.inspected(inspection());
    assert!(!package.observe(Some(&ObjectFacts {
        crc64nvme: None,
        ..object()
    })));
    let larger = ObjectFacts {
        size_bytes: 5001,
        ..other
    };
    assert!(package.observe(Some(&larger)));
    assert_eq!(
        (package.state, package.size_bytes),
        (PackageState::Unverified, 5001)
    );
}

#[test]
fn what_is_found_waits_for_a_look() {
    let key = "packages/model/v2/by-hand.zip".parse().unwrap();
    let mut package = Package::found(key, "admin".into(), &object(), NOW);
    assert_eq!(
        (package.reference().to_string(), package.upload_id.clone()),
        ("model@v2".into(), None)
    );
    assert_eq!(package.state, PackageState::Unverified);
    assert!(package.inspected(inspection()) && package.has_script);
}

#[test]
fn what_was_found_is_its_owners_alone_until_somebody_says_otherwise_once() {
    let found = Package::found(upload("model").key, "admin".into(), &object(), NOW).undescribed();
    assert!(found.is_restricted() && found.is_undescribed);
    let written = serde_json::to_value(&found).unwrap();
    assert_eq!(serde_json::from_value::<Package>(written).unwrap(), found);
    let mut package = found.clone();
    assert!(!package.describe(&Said::default(), "ann"));
    assert_eq!(package, found);
    // A description says nothing of who may have it.
    let about = Said {
        description: Some("weights".into()),
        ..Said::default()
    };
    assert!(package.describe(&about, "ann"));
    assert!(package.is_restricted() && package.is_undescribed);
    assert_eq!(package.owner, "admin");
    let open = Said {
        is_sensitive: Some(false),
        rule: Some("true".into()),
        ..Said::default()
    };
    assert!(package.describe(&open, "ann"));
    assert_eq!(package.owner, "ann");
    assert!(!package.is_restricted() && !package.is_undescribed);
    assert_eq!(package.rule.as_deref(), Some("true"));
    let described = package.clone();
    let other = Said {
        description: Some("another".into()),
        allowed_groups: Some(groups(&["research"])),
        ..Said::default()
    };
    assert!(!package.describe(&other, "bob"));
    assert_eq!(package, described);
    // What is not said stays.
    let mut package = found;
    assert!(package.describe(&other, "bob"));
    assert!(package.is_sensitive);
    assert_eq!(package.allowed_groups, groups(&["research"]));
}

#[test]
fn what_came_by_an_upload_takes_no_word() {
    let mut package = package("model");
    let before = package.clone();
    let said = Said {
        is_sensitive: Some(true),
        ..Said::default()
    };
    assert!(!package.describe(&said, "bob"));
    assert_eq!(package, before);
    let written = serde_json::to_value(&package).unwrap();
    assert_eq!(written.get("is_undescribed"), None);
}
