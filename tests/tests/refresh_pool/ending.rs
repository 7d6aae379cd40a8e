//! Machines that leave: each instance is ended in the group once, and replaced or not as it should be.

use haulout_domain::{
    ids::InstanceId,
    status::{InstanceState, Status},
};
use haulout_tests::{
    faults::{CallFault, Fate, InvocationFault, Trouble},
    settings::Settings,
    world::World,
};
use jiff::Timestamp;

use super::support::{
    MINUTE, WARM, auto_scaling, claim, counts, ends, filled, five, group, in_status, pass, passes,
    project, release, state_of,
};

async fn one_claimed() -> World {
    let started = async {
        let world = five().await;
        claim(&world, "red", None).await;
        passes(&world).await;
        assert_eq!(group(&world).desired, 6);
        world
    };
    Box::pin(started).await
}

fn ec2(world: &World) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::new(world.sdk_config())
}

async fn stop(world: &World, id: &InstanceId) {
    let asked = ec2(world).stop_instances().instance_ids(id.as_str());
    asked.send().await.unwrap();
    world.jump(WARM);
}

async fn terminate(world: &World, id: &InstanceId) {
    world.compute.terminate(id).await.unwrap();
    world.jump(WARM);
}

#[tokio::test]
async fn a_release_ends_the_instance_once_and_the_group_is_one_smaller() {
    let world = one_claimed().await;
    let instance = release(&world, "red").await.instance_id.unwrap();
    let done = pass(&world).await;
    assert_eq!((done.ended, done.scaled_to), (1, None));
    assert_eq!(group(&world).desired, 5);
    pass(&world).await;
    let done = passes(&world).await;
    assert_eq!((done.ended, done.counts), (0, counts(0, 5, 0)));
    assert_eq!(state_of(&world, &instance), "terminated");
    assert_eq!((ends(&world), group(&world).desired), (1, 5));
    let closed = in_status(&world, Status::Terminated).await.remove(0);
    assert_eq!((closed.instance_id, closed.error), (Some(instance), None));
    assert_eq!(world.sim.state().launched, 6);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading_the_group_again() {
    let world = one_claimed().await;
    release(&world, "red").await;
    world.faults.arm(CallFault {
        times: 1,
        ..CallFault::new(
            "refresh",
            &auto_scaling("TerminateInstanceInAutoScalingGroup"),
            Trouble::Lost,
        )
    });
    let done = pass(&world).await;
    assert_eq!((done.ended, done.put_off), (0, 1));
    assert_eq!(group(&world).desired, 5);
    let done = passes(&world).await;
    assert_eq!((done.counts, group(&world).desired), (counts(0, 5, 0), 5));
    assert_eq!(ends(&world), 1, "the SDK does not repeat it");
}

#[tokio::test]
async fn a_pass_that_is_repeated_ends_no_instance_twice() {
    let world = one_claimed().await;
    release(&world, "red").await;
    world.faults.doom(InvocationFault {
        function: "refresh".to_owned(),
        fate: Fate::Repeated,
        skip: 0,
        times: 1,
        until: Timestamp::MAX,
    });
    pass(&world).await;
    assert_eq!((ends(&world), group(&world).desired), (1, 5));
}

#[tokio::test]
async fn at_the_groups_minimum_an_instance_is_replaced() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups[0].min = 5;
    let world = filled(settings).await;
    claim(&world, "red", None).await;
    let instance = release(&world, "red").await.instance_id.unwrap();
    assert_eq!(pass(&world).await.ended, 1);
    assert_eq!(group(&world).desired, 5);
    assert_eq!(passes(&world).await.counts, counts(0, 5, 0));
    assert_eq!(state_of(&world, &instance), "terminated");
    assert_eq!(world.sim.state().launched, 6);
}

#[tokio::test]
async fn an_unhealthy_idle_machine_is_replaced_and_a_claimed_one_left_alone() {
    let world = one_claimed().await;
    let red = claim(&world, "blue", None).await.instance_id;
    let idle = in_status(&world, Status::Idle).await.remove(0);
    let idle = idle.instance_id.unwrap();
    stop(&world, &red).await;
    stop(&world, &idle).await;
    assert_eq!(pass(&world).await.ended, 1);
    assert_eq!(passes(&world).await.counts, counts(0, 5, 2));
    assert_eq!(state_of(&world, &idle), "terminated");
    assert_eq!(state_of(&world, &red), "stopped");
    let claimed = in_status(&world, Status::Claimed).await;
    assert_eq!(claimed.len(), 2);
    assert_eq!(group(&world).desired, 7);
}

#[tokio::test]
async fn a_claimed_instance_ended_outside_ends_the_claim() {
    let world = one_claimed().await;
    let red = world.store.project(&project("red")).await.unwrap().unwrap();
    terminate(&world, &red.instance_id).await;
    pass(&world).await;
    assert_eq!(world.store.project(&project("red")).await.unwrap(), None);
    let machine = world.machine(&red.machine_id).await;
    assert_eq!(machine.status, Status::Draining);
    assert_eq!(machine.error.unwrap().code, "instance_gone");
    // Nobody but us takes it out of the group. Its place is not needed any more.
    assert_eq!(passes(&world).await.counts, counts(0, 5, 0));
    let machine = world.machine(&red.machine_id).await;
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(machine.instance.unwrap().state, InstanceState::Terminated);
    let group = group(&world);
    assert_eq!((group.desired, group.instances.len()), (5, 5));
    assert_eq!(world.sim.state().launched, 6);
}

#[tokio::test]
async fn an_idle_instance_ended_outside_is_replaced() {
    let world = five().await;
    let idle = in_status(&world, Status::Idle).await.remove(0);
    terminate(&world, &idle.instance_id.unwrap()).await;
    assert_eq!(passes(&world).await.counts, counts(0, 5, 0));
    let group = group(&world);
    assert_eq!((group.desired, group.count("InService")), (5, 5));
    assert_eq!(world.sim.state().launched, 6);
}

#[tokio::test]
async fn a_claim_that_expires_is_released() {
    let world = five().await;
    let red = claim(&world, "red", Some(10)).await;
    passes(&world).await;
    assert_eq!(state_of(&world, &red.instance_id), "running");
    world.jump(10 * MINUTE);
    assert_eq!(pass(&world).await.ended, 1);
    assert_eq!(world.store.project(&project("red")).await.unwrap(), None);
    assert_eq!(passes(&world).await.counts, counts(0, 5, 0));
    assert_eq!(group(&world).desired, 5);
}

#[tokio::test]
async fn a_drain_releases_all() {
    let world = one_claimed().await;
    let now = world.clock.now();
    world.store.start_drain("test", now).await.unwrap();
    assert_eq!(pass(&world).await.ended, 6);
    assert_eq!(passes(&world).await.counts, counts(0, 0, 0));
    let emptied = group(&world);
    assert_eq!((emptied.desired, emptied.instances.len()), (0, 0));
    assert_eq!(world.store.project(&project("red")).await.unwrap(), None);
    assert_eq!(world.sim.state().launched, 6);
    world.store.end_drain().await.unwrap();
    assert_eq!(pass(&world).await.scaled_to, Some(5));
    assert_eq!(passes(&world).await.counts, counts(0, 5, 0));
}

#[tokio::test]
async fn a_drain_stops_at_the_groups_minimum() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups[0].min = 2;
    let world = filled(settings).await;
    let now = world.clock.now();
    world.store.start_drain("test", now).await.unwrap();
    assert_eq!(pass(&world).await.ended, 3);
    let done = passes(&world).await;
    assert_eq!((done.ended, done.counts.draining), (0, 2));
    assert_eq!(group(&world).instances.len(), 2);
    assert_eq!(world.sim.state().launched, 5);
}
