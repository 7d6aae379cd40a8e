//! No change of a record is lost, and none is made twice.

use haulout_aws::store::StoreError;
use haulout_domain::ids::MachineId;
use haulout_tests::{
    call::Refusal,
    faults::{CallFault, Trouble},
    life::together,
    settings::Settings,
    world::World,
};

use super::{dynamo, machine, stored, world};

/// A change that can be counted.
async fn bump(world: &World, id: &MachineId) -> Result<Option<u64>, StoreError> {
    let changed = world
        .store
        .update(id, |machine| machine.keep_failed_minutes += 1)
        .await?;
    Ok(changed.map(|(machine, ())| machine.version))
}

#[tokio::test]
async fn what_does_not_exist_is_not_changed() {
    let world = world().await;
    assert_eq!(bump(&world, &machine(&world).id).await.unwrap(), None);
    assert_eq!(world.store.get(&machine(&world).id).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_written() {
    let world = world().await;
    let machine = stored(&world).await;
    let (after, said) = world
        .store
        .update(&machine.id, |_| "nothing")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after, said), (machine.clone(), "nothing"));
    assert_eq!(world.machine(&machine.id).await.version, 1);
}

#[tokio::test]
async fn writers_at_the_same_time_lose_no_change() {
    for seed in 0..4 {
        let world = World::start(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        let machine = stored(&world).await;
        // Who met too many others is told so, and tries again.
        let writer = async || {
            while world
                .invoke("test", || bump(&world, &machine.id))
                .await
                .unwrap()
                .is_err()
            {}
        };
        together((0..32).map(|_| writer())).await;
        let after = world.machine(&machine.id).await;
        assert_eq!(
            after.keep_failed_minutes,
            machine.keep_failed_minutes + 32,
            "seed {seed}"
        );
        assert_eq!(after.version, 33, "seed {seed}");
    }
}

#[tokio::test]
async fn writers_on_several_threads_lose_no_change() {
    let world = std::sync::Arc::new(world().await);
    let machine = stored(&world).await;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let (world, id) = (std::sync::Arc::clone(&world), machine.id.clone());
            runtime.spawn(async move { while bump(&world, &id).await.is_err() {} })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    runtime.shutdown_background();
    let after = world.machine(&machine.id).await;
    assert_eq!(after.keep_failed_minutes, machine.keep_failed_minutes + 32);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_made_once() {
    for lost in 1..=2 {
        let world = world().await;
        let machine = stored(&world).await;
        let fault = CallFault::new("", &dynamo("PutItem"), Trouble::Lost);
        world.faults.arm(CallFault {
            times: lost,
            ..fault
        });
        let version = world
            .invoke("test", || bump(&world, &machine.id))
            .await
            .unwrap();
        assert_eq!(version.unwrap(), Some(2));
        let after = world.machine(&machine.id).await;
        assert_eq!(after.keep_failed_minutes, machine.keep_failed_minutes + 1);
    }
}

#[tokio::test]
async fn a_write_that_is_never_answered_is_made_at_most_once() {
    let world = world().await;
    let machine = stored(&world).await;
    world
        .faults
        .arm(CallFault::new("", &dynamo("PutItem"), Trouble::Lost));
    let version = world
        .invoke("test", || bump(&world, &machine.id))
        .await
        .unwrap();
    assert!(version.unwrap_err().is_transient());
    let after = world.machine(&machine.id).await;
    assert_eq!(after.keep_failed_minutes, machine.keep_failed_minutes + 1);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (refusal, transient) in [
        (Refusal::Throttled, true),
        (Refusal::ServerError, true),
        (Refusal::AccessDenied, false),
        (Refusal::Code("ResourceNotFoundException"), false),
    ] {
        let world = world().await;
        let machine = stored(&world).await;
        world.faults.arm(CallFault::new(
            "",
            &dynamo("GetItem"),
            Trouble::Refused(refusal),
        ));
        let version = world
            .invoke("test", || bump(&world, &machine.id))
            .await
            .unwrap();
        assert_eq!(
            version.unwrap_err().is_transient(),
            transient,
            "{refusal:?}"
        );
    }
}
