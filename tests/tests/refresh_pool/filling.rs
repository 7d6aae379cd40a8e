//! Instances of the group become idle machines, bare or with a model.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use haulout_domain::{
    pool::PoolSettings,
    staging::{Archive, StagingSpec},
    status::Status,
};
use haulout_refresh::RefreshEvent;
use haulout_tests::{
    agenda::Job,
    lambda::schedule_event,
    settings::{Settings, not_a_zip, staged},
    world::World,
};
use serde_json::json;

use super::support::{
    MINUTE, WARM, claim, counts, five, group, in_status, pass, pool_event, quiet,
};

#[tokio::test]
async fn a_group_of_five_fills() {
    let world = quiet(Settings::default().pooled(5)).await;
    world.jump(Duration::from_secs(3));
    let done = pass(&world).await;
    assert_eq!((done.found, done.new, done.counts), (5, 5, counts(5, 0, 0)));
    assert_eq!(pass(&world).await.counts, counts(5, 0, 0));
    world.jump(WARM);
    assert_eq!(pass(&world).await.counts, counts(0, 5, 0));
    let machines = world.machines().await;
    assert_eq!(machines.len(), 5);
    for machine in &machines {
        let facts = machine.instance.as_ref().unwrap();
        assert!(facts.public_ip.is_some());
        let phases = machine.timeline.iter().map(|entry| entry.phase);
        assert_eq!(phases.collect::<Vec<_>>(), [Status::Warming, Status::Idle]);
    }
    // What needs nothing is not written, and asks nothing.
    world.jump(MINUTE);
    let before = world.faults.log().len();
    let done = pass(&world).await;
    assert_eq!((done.new, done.ended, done.scaled_to), (0, 0, None));
    assert_eq!(world.machines().await, machines);
    let made = world.faults.log().split_off(before);
    let asked = made.iter().filter(|it| it.action.name == "GetItem").count();
    assert!(made.len() < 20 && asked <= 4, "{made:?}");
}

#[tokio::test]
async fn it_fills_by_itself_and_grows_with_claims() {
    let world = World::start(Settings::default().pooled(5)).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(2 * MINUTE, is_full).await);
    claim(&world, "red", None).await;
    let grows = async |world: &World| group(world).desired == 6;
    assert!(world.until(Duration::from_secs(5), grows).await);
    assert!(world.until(2 * MINUTE, is_full).await);
    assert_eq!(in_status(&world, Status::Claimed).await.len(), 1);
}

#[tokio::test]
async fn a_claim_makes_another_machine_warm() {
    let world = five().await;
    claim(&world, "red", None).await;
    assert_eq!(pass(&world).await.scaled_to, Some(6));
    world.jump(Duration::from_secs(5));
    let done = pass(&world).await;
    assert_eq!((done.new, done.counts), (1, counts(1, 4, 1)));
    world.jump(WARM);
    assert_eq!(pass(&world).await.counts, counts(0, 5, 1));
    assert_eq!(group(&world).desired, 6);
}

fn with_model(settings: Settings) -> Settings {
    let blob = format!("0x{}", "ab".repeat(32)).parse().unwrap();
    let settings = settings.pooled(5);
    Settings {
        pool: Some(PoolSettings {
            staging: Some(StagingSpec {
                archive: Archive::Blob(blob),
                package_key: None,
                sha256: None,
                size_bytes: None,
            }),
            ..PoolSettings::default()
        }),
        ..settings
    }
}

#[tokio::test]
async fn a_model_is_staged_before_a_machine_is_idle() {
    let world = World::start(with_model(Settings::default())).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(3 * MINUTE, is_full).await);
    let commands = world.sim.state().commands;
    assert_eq!(commands.len(), 5);
    assert!(commands.iter().all(|command| command.status == "Success"));
    for machine in in_status(&world, Status::Idle).await {
        let phases = machine.timeline.iter().map(|entry| entry.phase);
        let expected = [
            Status::Warming,
            Status::WaitingForSsm,
            Status::FetchingBlob,
            Status::Idle,
        ];
        assert_eq!(phases.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_machine_whose_staging_fails_is_replaced() {
    let tried = AtomicU32::new(0);
    let settings = Settings::staging(move |_| match tried.fetch_add(1, Ordering::Relaxed) {
        0 => not_a_zip(),
        _ => staged(Duration::from_secs(8)),
    });
    let world = World::start(with_model(settings)).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(10 * MINUTE, is_full).await);
    let is_closed = async |world: &World| in_status(world, Status::Terminated).await.len() == 1;
    assert!(world.until(2 * MINUTE, is_closed).await);
    let failed = in_status(&world, Status::Terminated).await.remove(0);
    assert_eq!(failed.error.unwrap().code, "not_a_zip");
    assert_eq!(group(&world).desired, 5);
    assert_eq!(world.sim.state().launched, 6);
}

#[tokio::test]
async fn a_staging_whose_execution_is_lost_is_taken_up_by_the_sweep() {
    let world = World::start(with_model(Settings::default())).await;
    world.plan(Duration::from_secs(45), Job::AbortAll);
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(10 * MINUTE, is_full).await);
    assert_eq!(world.sim.state().launched, 5);
}

#[test]
fn what_wakes_the_pool_is_known() {
    let stream = json!({"Records": [{"eventSource": "aws:dynamodb", "eventName": "INSERT"}]});
    for event in [pool_event(), stream] {
        assert_eq!(RefreshEvent::try_from(event).unwrap(), RefreshEvent::Pool);
    }
    assert_eq!(
        RefreshEvent::try_from(schedule_event()).unwrap(),
        RefreshEvent::Schedule
    );
    for event in [
        json!({"Records": [{"eventSource": "aws:sqs"}]}),
        json!({"Records": []}),
    ] {
        assert!(RefreshEvent::try_from(event.clone()).is_err(), "{event}");
    }
}
