//! Packages' records, put into the registry without an archive.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

use haulout_aws::registry::{Download, Registry};
use haulout_domain::package::{Inspection, ObjectFacts, ObjectKey, Package, PackageRef, UploadId};

use crate::{dynamo::registry_tables, template::OF_PACKAGES, world::World};

/// The registry's tables, for the test's own reading and writing; nothing goes wrong there.
#[derive(Debug, Clone)]
pub struct Packages {
    /// The tables.
    pub registry: Registry,
}

impl Packages {
    /// Adds the tables to a world.
    pub fn of(world: &World) -> Self {
        let _tables = world.dynamo.clone().with(&OF_PACKAGES);
        Self {
            registry: Registry::new(world.sdk_config(), registry_tables()),
        }
    }

    /// Keeps a package.
    #[expect(clippy::expect_used, reason = "the test's own writing meets no faults")]
    pub async fn keep(&self, package: &Package) {
        let is_new = self.registry.create_package(package).await;
        assert!(is_new.expect("a writable record"), "it is there already");
    }

    /// Changes a package that is kept.
    #[expect(clippy::expect_used, reason = "the test's own writing meets no faults")]
    pub async fn change(&self, package: &Package, change: impl FnMut(&mut Package)) {
        let changed = self
            .registry
            .update_package(&package.reference(), change)
            .await;
        changed.expect("a writable record").expect("a record");
    }

    /// What a user asked for, newest first.
    #[expect(clippy::expect_used, reason = "the test's own reading meets no faults")]
    pub async fn history(&self, user: &str) -> Vec<Download> {
        let page = self.registry.downloads(user, None, 1_000).await;
        page.expect("readable records").downloads
    }
}

/// A package that is open to everybody and can be staged, as a commit leaves its record.
#[expect(clippy::expect_used, reason = "constants")]
pub fn package(world: &World, name: &str) -> Package {
    let name: PackageRef = name.parse().expect("a name and a version");
    let key = ObjectKey::of(name, &UploadId::generate());
    let facts = ObjectFacts {
        size_bytes: 5_000,
        crc64nvme: None,
        sha256: "5e".repeat(32).parse().ok(),
    };
    let mut package = Package::found(key, "olga".to_owned(), &facts, world.clock.now());
    package.inspected(Inspection {
        entries: 3,
        unpacked_bytes: 9_000,
        has_script: true,
    });
    package
}
