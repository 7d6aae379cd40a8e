//! A world with a pool that the test looks after, and what is asked about it.

use std::time::Duration;

use haulout_aws::store::{Claimed, IDLE_SHARDS};
use haulout_domain::{
    ids::InstanceId,
    machine::Machine,
    pool::{
        ProjectId,
        capacity::Counts,
        claim::{Claim, ProjectMachine, expiry},
    },
    status::{Source, Status},
};
use haulout_local::sim::GroupView;
use haulout_refresh::PoolDone;
use haulout_tests::{
    call::{Action, Service},
    settings::Settings,
    world::{POOL_GROUP, World},
};
use serde_json::{Value, json};

pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// Longer than an instance takes to boot and its agent to report, and than one takes to end.
pub(super) const WARM: Duration = Duration::from_secs(40);

/// A world without a schedule and events: the test looks after the pool.
pub(super) async fn quiet(settings: Settings) -> World {
    World::start(Settings {
        sweeps: false,
        events: false,
        ..settings
    })
    .await
}

/// The same, with five idle machines.
pub(super) async fn filled(settings: Settings) -> World {
    let world = quiet(settings).await;
    world.jump(WARM);
    let done = pass(&world).await;
    assert_eq!((done.new, done.counts), (5, counts(0, 5, 0)));
    world
}

/// The usual pool of five.
pub(super) async fn five() -> World {
    filled(Settings::default().pooled(5)).await
}

pub(super) fn counts(warming: u32, idle: u32, claimed: u32) -> Counts {
    Counts {
        warming,
        idle,
        claimed,
        draining: 0,
    }
}

/// What wakes the pool: an instance came or went.
pub(super) fn pool_event() -> Value {
    json!({
        "source": "aws.autoscaling",
        "detail-type": "EC2 Instance Launch Successful",
        "detail": {"AutoScalingGroupName": POOL_GROUP},
    })
}

/// Looks after the pool once.
pub(super) async fn pass(world: &World) -> PoolDone {
    let report = world.sweep(pool_event()).await.unwrap().unwrap();
    report.pool.unwrap()
}

/// Looks after it again and again, until all that was begun has come to its end.
pub(super) async fn passes(world: &World) -> PoolDone {
    for _ in 0..3 {
        world.jump(WARM);
        pass(world).await;
    }
    world.jump(WARM);
    pass(world).await
}

pub(super) fn group(world: &World) -> GroupView {
    world.sim.state().group(POOL_GROUP).unwrap().clone()
}

pub(super) fn project(id: &str) -> ProjectId {
    id.parse().unwrap()
}

/// Hands an idle machine to a project.
pub(super) async fn claim(world: &World, id: &str, ttl_minutes: Option<u32>) -> ProjectMachine {
    let now = world.clock.now();
    for shard in 0..IDLE_SHARDS {
        for candidate in world.store.idle(shard, 10).await.unwrap() {
            let claim = Claim {
                project: project(id),
                owner: "dana".to_owned(),
                claimed_at: now,
                expires_at: expiry(ttl_minutes, now),
                moves: false,
            };
            let claimed = world.store.claim(&candidate, claim).await.unwrap();
            if let Claimed::New(row) = claimed {
                return row;
            }
        }
    }
    panic!("no machine is idle");
}

pub(super) async fn release(world: &World, id: &str) -> Machine {
    let now = world.clock.now();
    let held = world.store.project(&project(id)).await.unwrap().unwrap();
    let released = world.store.release(&held, now).await.unwrap();
    released.unwrap()
}

/// The pool's records in a status.
pub(super) async fn in_status(world: &World, status: Status) -> Vec<Machine> {
    let machines = world.machines().await.into_iter();
    machines
        .filter(|it| it.source == Source::Pool && it.status == status)
        .collect()
}

/// EC2's word for where an instance is.
pub(super) fn state_of(world: &World, id: &InstanceId) -> &'static str {
    let machines = world.sim.state().machines;
    let found = machines.iter().find(|it| it.instance_id == id.as_str());
    found.unwrap().state
}

pub(super) fn auto_scaling(name: &str) -> Action {
    Action {
        service: Service::AutoScaling,
        name: name.to_owned(),
    }
}

/// How often refresh called an action of Auto Scaling.
pub(super) fn calls(world: &World, name: &str) -> usize {
    let action = auto_scaling(name);
    let log = world.faults.log().into_iter();
    log.filter(|it| it.action == action).count()
}

pub(super) fn ends(world: &World) -> usize {
    calls(world, "TerminateInstanceInAutoScalingGroup")
}
