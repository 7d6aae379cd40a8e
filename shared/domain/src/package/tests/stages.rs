//! What machines can stage, and what those of the pool may.

use super::{
    super::{Package, PackageState, PoolRefusal, Unfit, admit_to_pool},
    groups, package,
};
use crate::staging::limit::ALWAYS_UNPACKED;

#[test]
fn a_machine_stages_what_has_a_script_and_unpacks_to_what_it_takes() {
    let good = package("model");
    assert!(good.can_be_staged());
    let large = |size_bytes, unpacked_bytes| Package {
        size_bytes,
        unpacked_bytes,
        ..package("model")
    };
    for (size, unpacked) in [(5000, ALWAYS_UNPACKED), (1 << 30, 20 << 30)] {
        assert!(large(size, unpacked).can_be_staged(), "{size} {unpacked}");
        let more = large(size, unpacked + 1);
        let refusal = more.fits_machines().unwrap_err();
        assert!(matches!(refusal, Unfit::TooMuch { most, .. } if most == unpacked));
        assert!(refusal.to_string().contains("zip -0"), "{refusal}");
        assert!(!more.can_be_staged());
    }
    let bare = Package {
        has_script: false,
        ..package("model")
    };
    let refusal = bare.fits_machines().unwrap_err();
    assert_eq!(refusal, Unfit::NoScript(bare.reference()));
    assert!(!bare.can_be_staged());
    for state in [PackageState::Missing, PackageState::Unverified] {
        let away = Package {
            state,
            ..package("model")
        };
        assert!(!away.can_be_staged(), "{state:?}");
    }
}

#[test]
fn the_pool_gets_what_is_everybodys() {
    let open = package("model");
    let name = open.reference();
    assert_eq!(admit_to_pool(&name, Some(open.clone())), Ok(open));
    let with = |change: &dyn Fn(&mut Package)| {
        let mut package = package("model");
        change(&mut package);
        admit_to_pool(&name, Some(package)).unwrap_err()
    };
    let refusals = [
        admit_to_pool(&name, None).unwrap_err(),
        with(&|it| it.state = PackageState::Missing),
        with(&|it| it.state = PackageState::Unverified),
        with(&|it| it.is_sensitive = true),
        with(&|it| it.allowed_groups = groups(&["research"])),
        with(&|it| it.rule = Some("true".to_owned())),
        with(&|it| it.has_script = false),
        with(&|it| it.unpacked_bytes = ALWAYS_UNPACKED + 1),
    ];
    let kinds = refusals.iter().map(|refusal| match refusal {
        PoolRefusal::Unknown(_) => "unknown",
        PoolRefusal::NotReady { .. } => "not ready",
        PoolRefusal::Restricted(_) => "restricted",
        PoolRefusal::Ruled(_) => "ruled",
        PoolRefusal::Unfit(_) => "unfit",
    });
    let expected = [
        "unknown",
        "not ready",
        "not ready",
        "restricted",
        "restricted",
        "ruled",
        "unfit",
        "unfit",
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
    for refusal in &refusals {
        assert!(refusal.to_string().contains("model@1.0.0"), "{refusal}");
    }
}
