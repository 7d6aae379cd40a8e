//! Names, versions, keys: each has one meaning, and none reaches anywhere else.

use proptest::prelude::*;

use super::super::*;

#[test]
fn names_are_read() {
    let longest = "a".repeat(64);
    for name in ["a", "audience-classifier", "A.b_c-1", "0", &longest] {
        assert_eq!(name.parse::<PackageName>().unwrap().as_str(), name);
    }
    let too_long = "a".repeat(65);
    for name in [
        "", ".", "..", "a..b", ".a", "-a", "_a", "a/b", "a b", "a@b", "ä", "a\n", "a%2e", "a\\b",
        &too_long,
    ] {
        let error = name.parse::<PackageName>().expect_err(name).to_string();
        assert!(
            error.contains("64 letters") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn versions_are_kept_as_they_are_written() {
    for version in [
        "1.0.0",
        "1.0.0-rc.1+build.5",
        "v1",
        "v1.0",
        "v1.0.0",
        "v1.2.3-beta",
        "0",
        "2.10",
        "v0.0.1",
    ] {
        assert_eq!(version.parse::<PackageVersion>().unwrap().as_str(), version);
    }
    let too_long = format!("1.0.0-{}", "a".repeat(59));
    for version in [
        "", "v", "vv1", "V1", "1.", ".1", "1..0", "01", "v1.00", "1.0.0.0", "1.0-rc", "latest",
        "1.0.0 ", " 1", "1/0", "1@2", "+1", "-1", "1.0.0-é", "1.0.0-", &too_long,
    ] {
        let error = version
            .parse::<PackageVersion>()
            .expect_err(version)
            .to_string();
        assert!(error.contains("v1.0"), "{error}");
    }
}

#[test]
fn a_package_is_named_with_its_version() {
    let package: PackageRef = "model@v1.0".parse().unwrap();
    assert_eq!(
        (package.name.as_str(), package.version.as_str()),
        ("model", "v1.0")
    );
    assert_eq!(serde_json::to_string(&package).unwrap(), "\"model@v1.0\"");
    assert_eq!(
        serde_json::from_str::<PackageRef>("\"model@v1.0\"").unwrap(),
        package
    );
    for text in ["model", "model@", "@v1", "model@v1@v2", "mo del@v1", ""] {
        assert!(text.parse::<PackageRef>().is_err(), "{text}");
    }
}

#[test]
fn an_upload_has_its_own_key() {
    let package: PackageRef = "model@v1.0".parse().unwrap();
    let id = UploadId::generate();
    let key = ObjectKey::of(package.clone(), &id);
    assert_eq!(key.to_string(), format!("packages/model/v1.0/{id}.zip"));
    let read: ObjectKey = key.to_string().parse().unwrap();
    assert_eq!((read.package(), read.upload_id()), (&package, Some(id)));
    assert_eq!(read, key);
    // What somebody put there.
    let key: ObjectKey = "packages/model/v1.0/model.zip".parse().unwrap();
    assert_eq!((key.package(), key.upload_id()), (&package, None));
    assert_eq!(key.to_string(), "packages/model/v1.0/model.zip");
}

#[test]
fn other_keys_are_not_packages() {
    for key in [
        "",
        "packages/",
        "packages/model/v1.0/",
        "packages/model/v1.0/.zip",
        "packages/model/v1.0/a",
        "model/v1.0/a.zip",
        "packages/model/a.zip",
        "packages/model/v1.0/b/a.zip",
        "packages//v1.0/a.zip",
        "packages/../v1.0/a.zip",
        "packages/model/../a.zip",
        "/packages/model/v1.0/a.zip",
        "packages/model/v1.0/../a.zip",
        "packages/model/v1.0/a b.zip",
        "packages/model/v1.0/a.zip.zip/",
        "packages/model/latest/a.zip",
        "packages/model/v1.0/..zip",
    ] {
        assert!(key.parse::<ObjectKey>().is_err(), "{key}");
    }
}

#[test]
fn upload_ids_sort_by_time_and_are_read_strictly() {
    let first = UploadId::generate();
    assert!(UploadId::generate() > first);
    assert_eq!(first.as_str().parse(), Ok(first.clone()));
    let upper = first.as_str().to_uppercase();
    for text in [
        "",
        "u-",
        "m-0190a000-0000-7000-8000-000000000000",
        "u-0190a000000070008000000000000000",
        &upper,
    ] {
        assert!(text.parse::<UploadId>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn keys_never_collide_and_are_harmless(
        names in [".{0,8}|[a-zA-Z0-9._-]{1,8}", ".{0,8}|[a-zA-Z0-9._-]{1,8}"],
        versions in ["v?[0-9]{1,2}(\\.[0-9]){0,2}|.{0,8}", "v?[0-9]{1,2}(\\.[0-9]){0,2}|.{0,8}"],
    ) {
        let parse = |at: usize| {
            let (name, version) = (names[at].parse().ok()?, versions[at].parse().ok()?);
            Some(PackageRef::new(name, version))
        };
        let (Some(one), Some(other)) = (parse(0), parse(1)) else {
            return Ok(());
        };
        let id = UploadId::generate();
        let key = ObjectKey::of(one.clone(), &id).to_string();
        prop_assert_eq!(key == ObjectKey::of(other.clone(), &id).to_string(), one == other);
        prop_assert_eq!(one.to_string() == other.to_string(), one == other);
        // A listing of one version shows nothing of another one.
        prop_assert_eq!(key.starts_with(&ObjectKey::prefix(&other)), one == other);
        prop_assert!(!key.contains("..") && key.split('/').count() == 4);
        let read: ObjectKey = key.parse().unwrap();
        prop_assert_eq!(read.package(), &one);
        prop_assert_eq!(one.to_string().parse::<PackageRef>().unwrap(), one);
    }

    #[test]
    fn errors_stay_short_and_on_one_line(text in "\\PC{0,300}|[\\x00-\\x1f]{0,100}") {
        let errors = [
            text.parse::<PackageName>().err().map(|it| it.to_string()),
            text.parse::<PackageVersion>().err().map(|it| it.to_string()),
            text.parse::<PackageRef>().err().map(|it| it.to_string()),
            text.parse::<ObjectKey>().err().map(|it| it.to_string()),
            text.parse::<UploadId>().err().map(|it| it.to_string()),
            text.parse::<ETag>().err().map(|it| it.to_string()),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.chars().count() < 400 && !error.contains('\n'), "{}", error);
        }
    }
}
