//! EC2: instances are launched once, found, and ended.

use std::time::Duration;

use haulout_domain::status::InstanceState;
use haulout_tests::{
    call::Service,
    faults::{CallFault, Trouble},
    settings::Settings,
    world::World,
};

use super::{UNKNOWN, action, launched, machine, plan};

#[tokio::test]
async fn a_launch_repeated_answers_the_same_instance() {
    let world = World::start(Settings::default()).await;
    let machine = machine(&world);
    let first = world.compute.launch(&machine, &plan()).await.unwrap();
    assert_eq!(
        world.compute.launch(&machine, &plan()).await.unwrap().id,
        first.id
    );
    assert_eq!(world.sim.state().launched, 1);
    let mut second_attempt = machine.clone();
    second_attempt.attempt = 2;
    assert_ne!(
        world
            .compute
            .launch(&second_attempt, &plan())
            .await
            .unwrap()
            .id,
        first.id
    );
    // The same token with other parameters is a mistake of ours, and EC2 says so.
    let mut changed = plan();
    changed.instance_type = "t3.large".parse().ok();
    let error = world.compute.launch(&machine, &changed).await.unwrap_err();
    assert!(error.is("IdempotentParameterMismatch"), "{error}");
}

#[tokio::test]
async fn a_launch_whose_answer_is_lost_launches_once() {
    let world = World::start(Settings::default()).await;
    let run = action(Service::Ec2, "RunInstances");
    world.faults.arm(CallFault {
        times: 2,
        ..CallFault::new("", &run, Trouble::Lost)
    });
    let (machine, plan) = (machine(&world), plan());
    let facts = Box::pin(world.invoke("test", || world.compute.launch(&machine, &plan)))
        .await
        .unwrap()
        .unwrap();
    let state = world.sim.state();
    assert_eq!(state.launched, 1);
    assert_eq!(state.machines[0].instance_id, facts.id.as_str());
    assert_eq!(state.machines[0].tags["Name"], "a test: ümlaut");
    assert_eq!(
        state.machines[0].volume_tags.values().next().unwrap()["haulout:machine"],
        machine.id.as_str()
    );
}

#[tokio::test]
async fn an_instance_is_described_as_soon_as_ec2_shows_it() {
    let world = World::start(Settings::default().lagging(20)).await;
    let machine = machine(&world);
    let id = world.compute.launch(&machine, &plan()).await.unwrap().id;
    assert_eq!(world.compute.describe(&id).await.unwrap(), None);
    assert!(world.compute.find(&machine.id).await.unwrap().is_empty());
    assert!(!world.compute.status_checks_passed(&id).await.unwrap());
    world.jump(Duration::from_secs(20));
    let facts = world.compute.describe(&id).await.unwrap().unwrap();
    assert_eq!(facts.state, InstanceState::Running);
    assert!(
        facts.public_ip.is_some()
            && facts.private_ip.is_some()
            && facts.availability_zone.is_some()
    );
    let found = world.compute.find(&machine.id).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].facts, found[0].attempt), (&facts, Some(1)));
    assert!(!world.compute.status_checks_passed(&id).await.unwrap());
    world.jump(Duration::from_secs(30));
    assert!(world.compute.status_checks_passed(&id).await.unwrap());
}

#[tokio::test]
async fn a_listing_has_all_pages_and_no_other_deployments() {
    let world = World::start(Settings::default()).await;
    let stranger = haulout_aws::compute::Compute::new(world.sdk_config(), "another");
    stranger.launch(&machine(&world), &plan()).await.unwrap();
    let mut ours = Vec::new();
    for _ in 0..12 {
        let machine = machine(&world);
        let facts = world.compute.launch(&machine, &plan()).await.unwrap();
        ours.push((machine.id, facts.id));
    }
    let (mut listed, mut listing) = (Vec::new(), world.compute.listing());
    while let Some(page) = listing.next().await {
        let page = page.unwrap().into_iter();
        listed.extend(page.map(|it| (it.machine.unwrap(), it.facts.id)));
    }
    listed.sort();
    ours.sort();
    assert_eq!(listed, ours);
}

#[tokio::test]
async fn terminating_may_be_repeated_and_be_too_late() {
    let world = World::start(Settings::default()).await;
    let id = launched(&world).await;
    for _ in 0..2 {
        world.compute.terminate(&id).await.unwrap();
        world.jump(Duration::from_secs(20));
        assert_eq!(
            world.compute.describe(&id).await.unwrap().unwrap().state,
            InstanceState::Terminated
        );
    }
    world.jump(Duration::from_hours(2));
    assert_eq!(world.compute.describe(&id).await.unwrap(), None);
    world.compute.terminate(&id).await.unwrap();
    world
        .compute
        .terminate(&UNKNOWN.parse().unwrap())
        .await
        .unwrap();
}
