//! A large pool costs calls as it has pages, not as it has machines.

use haulout_domain::status::Status;
use haulout_tests::{settings::Settings, world::World};

use super::support::{WARM, counts, in_status, pass, quiet};

const MACHINES: u32 = 450;

/// The calls of a pass, by action.
async fn calls_of_a_pass(world: &World) -> Vec<String> {
    let before = world.faults.log().len();
    pass(world).await;
    let made = world.faults.log().split_off(before).into_iter();
    made.map(|logged| logged.action.to_string()).collect()
}

#[tokio::test]
async fn a_pass_makes_calls_as_there_are_pages() {
    let mut settings = Settings::default().pooled(MACHINES);
    settings.sim.auto_scaling_groups[0].max = 1_000;
    // No surplus.
    if let Some(pool) = &mut settings.pool {
        pool.bounds.buffer = MACHINES;
        pool.bounds.max = 1_000;
    }
    let world = quiet(settings).await;
    world.jump(WARM);
    let done = pass(&world).await;
    assert_eq!((done.new, done.counts), (MACHINES, counts(0, MACHINES, 0)));
    let calls = calls_of_a_pass(&world).await;
    let count = |name: &str| calls.iter().filter(|call| call.ends_with(name)).count();
    assert_eq!(count("DescribeAutoScalingGroups"), 1);
    assert_eq!(count("DescribeInstances"), 1);
    assert_eq!(count("DescribeInstanceInformation"), 0);
    assert!(calls.len() < 20, "{calls:?}");
    assert_eq!(
        in_status(&world, Status::Idle).await.len(),
        MACHINES as usize
    );
}

#[tokio::test]
async fn agents_are_asked_for_many_in_a_call() {
    let mut settings = Settings::default().pooled(120);
    // They do not report for a while.
    settings.sim.registration_delay = 2 * WARM;
    let world = quiet(settings).await;
    world.jump(WARM);
    assert_eq!(pass(&world).await.counts, counts(120, 0, 0));
    let calls = calls_of_a_pass(&world).await;
    let asked = calls
        .iter()
        .filter(|call| call.ends_with("DescribeInstanceInformation"));
    assert_eq!(asked.count(), 3);
    assert!(calls.len() < 20, "{calls:?}");
    world.jump(2 * WARM);
    assert_eq!(pass(&world).await.counts, counts(0, 120, 0));
}
