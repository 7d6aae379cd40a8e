//! The judge of the fault matrix is itself held to its work: each broken promise must be seen.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use haulout_domain::{
    failure::{Failure, FailureCode},
    ids::MachineId,
    machine::Machine,
    status::Status,
};
use haulout_tests::{
    settings::Settings,
    verdict::broken_promises,
    world::{World, usual_request},
};

/// A world with one ready machine.
async fn ready() -> (World, MachineId) {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let id = world.create(&usual_request()).await.unwrap();
    assert!(world.settle(Duration::from_hours(1)).await);
    assert_eq!(broken_promises(&world).await, [""; 0]);
    (world, id)
}

/// What the judge says after somebody wrote this into the record.
async fn after_writing(change: impl Fn(&mut Machine)) -> String {
    let (world, id) = ready().await;
    world
        .store
        .update(&id, |machine| change(machine))
        .await
        .unwrap();
    broken_promises(&world).await.join("\n")
}

#[tokio::test]
async fn false_records_are_seen() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let failure =
        || Failure::new(FailureCode::AgentTimeout, "said before").in_phase(Status::WaitingForSsm);
    let said = after_writing(|machine| machine.terminate("test", at)).await;
    assert!(
        said.contains("has not ended") && said.contains("is running"),
        "{said}"
    );
    let said = after_writing(|machine| machine.closed_at = Some(machine.created_at)).await;
    assert!(said.contains("has not ended"), "{said}");
    let said = after_writing(|machine| machine.error = Some(failure())).await;
    assert!(said.contains("ready with an error"), "{said}");
    let said = after_writing(|machine| machine.status = Status::Failed).await;
    assert!(
        said.contains("does not say why") && said.contains("out of order"),
        "{said}"
    );
    let said = after_writing(|machine| machine.timeline.swap(1, 2)).await;
    assert!(said.contains("out of order"), "{said}");
    let said = after_writing(|machine| machine.timeline.push(machine.timeline[3].clone())).await;
    assert!(said.contains("out of order"), "{said}");
    let said = after_writing(|machine| machine.output = None).await;
    assert!(said.contains("no staging command succeeded"), "{said}");
    let said =
        after_writing(|machine| machine.instance_id = "i-0123456789abcdef0".parse().ok()).await;
    assert!(said.contains("the record knows"), "{said}");
    let vague = |machine: &mut Machine| {
        machine.status = Status::Failed;
        machine.error = Some(failure());
        machine.error.as_mut().unwrap().code = "something".to_owned();
    };
    let said = after_writing(vague).await;
    assert!(said.contains("cannot be understood"), "{said}");
}

#[tokio::test]
async fn instances_too_many_are_seen() {
    let (world, id) = ready().await;
    let mut machine = world.machine(&id).await;
    machine.attempt = 2;
    let plan = machine.plan.clone().unwrap();
    world.compute.launch(&machine, &plan).await.unwrap();
    let said = broken_promises(&world).await.join("\n");
    assert!(said.contains("another client token"), "{said}");

    let (world, id) = ready().await;
    let mut stranger = world.machine(&id).await;
    stranger.id = MachineId::generate();
    let plan = stranger.plan.clone().unwrap();
    world.compute.launch(&stranger, &plan).await.unwrap();
    let said = broken_promises(&world).await.join("\n");
    assert!(said.contains("cannot be traced"), "{said}");
}

#[tokio::test]
async fn an_instance_that_is_gone_is_seen() {
    let (world, id) = ready().await;
    world
        .compute
        .terminate(world.machine(&id).await.instance_id.as_ref().unwrap())
        .await
        .unwrap();
    let said = broken_promises(&world).await.join("\n");
    assert!(said.contains("no instance runs"), "{said}");
}
