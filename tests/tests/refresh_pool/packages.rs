//! A pool with a package of the registry: what its machines get, and what becomes of it when they cannot.

use std::time::Duration;

use haulout_aws::{registry::DownloadStatus, store::Redeemed};
use haulout_domain::{
    package::Package,
    pool::PoolSettings,
    staging::{Archive, StagingSpec, Ticket},
    status::Status,
};
use haulout_tests::{
    packages::{Packages, package},
    settings::Settings,
    world::World,
};

use super::support::{MINUTE, claim, group, in_status};

const MODEL: &str = "model@1.0.0";

/// A pool of five that stages the package.
async fn with_package(settings: Settings) -> (World, Packages, Package) {
    of_group(settings.pooled(5)).await
}

async fn of_group(settings: Settings) -> (World, Packages, Package) {
    let settings = Settings {
        pool: Some(PoolSettings {
            staging: Some(StagingSpec {
                archive: Archive::Package(MODEL.parse().unwrap()),
                package_key: None,
                sha256: None,
                size_bytes: None,
            }),
            ..PoolSettings::default()
        }),
        ..settings
    };
    let world = Box::pin(World::start(settings)).await;
    let packages = Packages::of(&world);
    let model = package(&world, MODEL);
    (world, packages, model)
}

/// The word that a command's text sets a variable to.
fn value<'a>(command: &'a str, name: &str) -> &'a str {
    let line = command
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}='")));
    line.unwrap().trim_end_matches('\'')
}

#[tokio::test]
async fn the_pools_machines_get_the_archive_that_was_judged() {
    let (world, packages, model) = with_package(Settings::default()).await;
    packages.keep(&model).await;
    let is_sent = async |world: &World| !world.sim.state().commands.is_empty();
    assert!(world.until(3 * MINUTE, is_sent).await);
    let sent = world.sim.state().commands[0].text.clone();
    assert_eq!(value(&sent, "BLOB"), MODEL);
    assert_eq!(value(&sent, "SHA256"), "5e".repeat(32));
    assert_eq!(value(&sent, "SIZE_BYTES"), "5000");
    let ticket: Ticket = value(&sent, "TICKET").parse().unwrap();
    let redemption = Ticket::of([1; 32]);
    let redeemed = world
        .store
        .redeem_ticket(&ticket, &redemption, world.clock.now())
        .await;
    let Redeemed::Good(grant) = redeemed.unwrap() else {
        panic!("the ticket is refused");
    };
    assert_eq!(grant.key.as_ref(), Some(&model.key));

    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(3 * MINUTE, is_full).await);
    let history = packages.history("pool").await;
    assert_eq!(history.len(), 5, "{history:?}");
    let is_allowed = |status| status == DownloadStatus::Allowed;
    assert!(history.iter().all(|it| is_allowed(it.status)));
}

#[tokio::test]
async fn what_is_not_everybodys_is_on_no_machine_of_the_pool() {
    type Change = fn(&mut Package);
    let cases: [(&str, Option<Change>); 4] = [
        ("there is no package", None),
        ("members of its groups", Some(|it| it.is_sensitive = true)),
        ("has a rule", Some(|it| it.rule = Some("true".to_owned()))),
        ("zip -0", Some(|it| it.unpacked_bytes = 5 << 30)),
    ];
    for (says, change) in cases {
        let (world, packages, mut model) = with_package(Settings::default()).await;
        if let Some(change) = change {
            change(&mut model);
            packages.keep(&model).await;
        }
        let has_failed = async |world: &World| {
            let mut machines = world.machines().await.into_iter();
            machines.any(|it| it.error.is_some())
        };
        assert!(world.until(3 * MINUTE, has_failed).await, "{says}");
        let mut machines = world.machines().await.into_iter();
        let error = machines.find_map(|it| it.error).unwrap();
        assert_eq!(error.code, "pool_package_refused", "{says}");
        assert!(error.message.contains(says), "{error:?}");
        assert!(error.hint.contains("PoolPackage"), "{error:?}");
        assert_eq!(world.sim.state().commands.len(), 0, "{says}");
        let history = packages.history("pool").await;
        assert_eq!(history[0].status, DownloadStatus::Blocked);
        assert!(history[0].reason.contains(says), "{history:?}");
    }
}

#[tokio::test]
async fn a_pool_whose_package_cannot_be_staged_does_not_go_on_launching() {
    let (world, packages, model) = with_package(Settings::default()).await;
    let never = async |_: &World| false;
    world.until(Duration::from_hours(2), never).await;
    let launched = world.sim.state().launched;
    assert!((5..=20).contains(&launched), "{launched} were launched");
    assert!(group(&world).desired <= 1, "{:?}", group(&world));
    let report = world.store.pool_report().await.unwrap().unwrap();
    let failures = report.failures.unwrap();
    assert!(failures.is_lasting());
    assert_eq!(failures.last.code, "pool_package_refused");
    // It tries again from time to time, and finds that somebody has mended it.
    packages.keep(&model).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(20 * MINUTE, is_full).await);
    world.until(2 * MINUTE, never).await;
    let report = world.store.pool_report().await.unwrap().unwrap();
    assert_eq!(report.failures, None);
}

#[tokio::test]
async fn machines_that_were_staged_stay_when_others_fail() {
    let (world, packages, model) = with_package(Settings::default()).await;
    packages.keep(&model).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(3 * MINUTE, is_full).await);
    packages.change(&model, |it| it.is_sensitive = true).await;
    for project in ["red", "green"] {
        claim(&world, project, None).await;
    }
    let never = async |_: &World| false;
    world.until(Duration::from_hours(2), never).await;
    let statuses = [Status::Idle, Status::Claimed];
    for (status, number) in statuses.into_iter().zip([3, 2]) {
        assert_eq!(in_status(&world, status).await.len(), number, "{status}");
    }
    let launched = world.sim.state().launched;
    assert!((7..=20).contains(&launched), "{launched} were launched");
}

#[tokio::test]
async fn a_group_that_keeps_a_minimum_does_not_replace_what_fails() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups[0].min = 2;
    let (world, packages, model) = of_group(settings).await;
    let never = async |_: &World| false;
    world.until(Duration::from_hours(1), never).await;
    let launched = world.sim.state().launched;
    assert!((5..=15).contains(&launched), "{launched} were launched");
    assert!(group(&world).desired >= 2);
    is_whole_once_mended(&world, &packages, &model).await;
}

#[tokio::test]
async fn a_group_that_cannot_grow_tries_one_in_the_place_of_another() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups[0].min = 5;
    settings.sim.auto_scaling_groups[0].max = 5;
    let (world, packages, model) = of_group(settings).await;
    let never = async |_: &World| false;
    world.until(Duration::from_hours(2), never).await;
    let launched = world.sim.state().launched;
    assert!((6..=20).contains(&launched), "{launched} were launched");
    is_whole_once_mended(&world, &packages, &model).await;
}

async fn is_whole_once_mended(world: &World, packages: &Packages, model: &Package) {
    packages.keep(model).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(30 * MINUTE, is_full).await);
}
