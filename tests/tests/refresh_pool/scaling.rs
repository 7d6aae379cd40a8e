//! As many machines as there should be.

use std::time::Duration;

use haulout_domain::{pool::capacity::Bounds, status::Status};
use haulout_tests::{
    call::Refusal,
    faults::{CallFault, Trouble},
    world::World,
};

use super::support::{
    MINUTE, auto_scaling, calls, claim, counts, five, group, in_status, pass, passes, project,
};

async fn keep(world: &World, buffer: u32, max: u32) {
    let bounds = Bounds {
        buffer,
        min: 0,
        max,
    };
    world.store.put_pool_bounds(&bounds).await.unwrap();
}

#[tokio::test]
async fn a_surplus_goes_after_a_while_and_only_what_is_idle() {
    let world = five().await;
    let red = claim(&world, "red", None).await;
    passes(&world).await;
    keep(&world, 2, 200).await;
    let began = world.clock.now();
    assert_eq!(pass(&world).await.given_up, 0);
    let report = world.store.pool_report().await.unwrap().unwrap();
    assert_eq!(report.surplus_since, Some(began));
    world.jump(9 * MINUTE);
    assert_eq!(pass(&world).await.given_up, 0);
    world.jump(MINUTE);
    let done = pass(&world).await;
    assert_eq!((done.given_up, done.ended), (3, 3));
    let done = passes(&world).await;
    assert_eq!(done.counts, counts(0, 2, 1));
    assert_eq!(group(&world).desired, 3);
    let machine = world.machine(&red.machine_id).await;
    assert_eq!(machine.status, Status::Claimed);
    let report = world.store.pool_report().await.unwrap().unwrap();
    assert_eq!((report.surplus_since, report.desired), (None, 3));
}

#[tokio::test]
async fn a_surplus_that_does_not_last_is_kept() {
    let world = five().await;
    keep(&world, 2, 200).await;
    pass(&world).await;
    world.jump(9 * MINUTE);
    keep(&world, 5, 200).await;
    pass(&world).await;
    keep(&world, 2, 200).await;
    world.jump(MINUTE);
    assert_eq!(pass(&world).await.given_up, 0);
    assert_eq!(in_status(&world, Status::Idle).await.len(), 5);
}

#[tokio::test]
async fn throttled_scaling_is_made_up_for_by_the_next_pass() {
    let world = five().await;
    claim(&world, "red", None).await;
    world.faults.arm(CallFault::new(
        "refresh",
        &auto_scaling("SetDesiredCapacity"),
        Trouble::Refused(Refusal::Throttled),
    ));
    let done = pass(&world).await;
    assert_eq!((done.scaled_to, done.put_off), (None, 1));
    assert_eq!(group(&world).desired, 5);
    world.faults.clear();
    assert_eq!(pass(&world).await.scaled_to, Some(6));
}

#[tokio::test]
async fn throttled_ends_are_left_to_the_next_pass() {
    let world = five().await;
    for id in ["red", "green"] {
        claim(&world, id, None).await;
    }
    passes(&world).await;
    for id in ["red", "green"] {
        super::support::release(&world, id).await;
    }
    world.faults.arm(CallFault::new(
        "refresh",
        &auto_scaling("TerminateInstanceInAutoScalingGroup"),
        Trouble::Refused(Refusal::Throttled),
    ));
    let done = pass(&world).await;
    assert_eq!(
        (done.ended, done.put_off, super::support::ends(&world)),
        (0, 2, 1)
    );
    // What is claimed meanwhile gets its machine, those that are still to end notwithstanding.
    claim(&world, "blue", None).await;
    assert_eq!(pass(&world).await.scaled_to, Some(8));
    world.faults.clear();
    assert_eq!(pass(&world).await.ended, 2);
    assert_eq!(passes(&world).await.counts, counts(0, 5, 1));
    assert_eq!(group(&world).desired, 6);
}

#[tokio::test]
async fn who_was_refused_gets_a_machine_of_his_own() {
    let world = five().await;
    keep(&world, 0, 200).await;
    for id in ["red", "green", "blue", "cyan", "pink"] {
        claim(&world, id, None).await;
    }
    assert_eq!(pass(&world).await.scaled_to, None);
    let now = world.clock.now();
    let late = project("late");
    world.store.wait_for_machine(&late, now).await.unwrap();
    assert_eq!(pass(&world).await.scaled_to, Some(6));
    assert_eq!(passes(&world).await.counts, counts(0, 1, 5));
    claim(&world, "late", None).await;
    assert_eq!(pass(&world).await.scaled_to, None);
}

#[tokio::test]
async fn bounds_hold() {
    let world = five().await;
    keep(&world, 5, 6).await;
    for id in ["red", "green"] {
        claim(&world, id, None).await;
    }
    assert_eq!(pass(&world).await.scaled_to, Some(6));
    assert_eq!(passes(&world).await.counts, counts(0, 4, 2));
    keep(&world, 5, 1_000).await;
    assert_eq!(pass(&world).await.scaled_to, Some(7));
    assert_eq!(calls(&world, "SetDesiredCapacity"), 2);
    world.jump(Duration::from_hours(1));
    assert_eq!(pass(&world).await.scaled_to, None);
}
