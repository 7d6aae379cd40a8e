//! The sweep: what it does about records whose work died, and about instances that are gone.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use haulout_aws::store::Filter;
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    status::{Desired, Status},
};
use haulout_local::sim::Fault;
use haulout_refresh::RefreshEvent;
use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal, Service},
    faults::{CallFault, Trouble},
    lambda::{execution_event, schedule_event},
    life::together,
    settings::Settings,
    verdict::broken_promises,
    world::{World, usual_request},
};
use serde_json::json;

const HOUR: Duration = Duration::from_hours(1);

/// A world without a schedule: the test sweeps.
async fn quiet_world(settings: Settings) -> World {
    World::start(Settings {
        sweeps: false,
        events: false,
        ..settings
    })
    .await
}

async fn ready_machine(world: &World) -> MachineId {
    let id = world.create(&usual_request()).await.unwrap();
    assert!(world.settle(HOUR).await);
    assert_eq!(world.machine(&id).await.status, Status::Ready);
    id
}

async fn sweep(world: &World) -> haulout_refresh::Report {
    world.sweep(schedule_event()).await.unwrap().unwrap()
}

fn start_execution() -> Action {
    Action {
        service: Service::StepFunctions,
        name: "StartExecution".to_owned(),
    }
}

/// Ends its instance behind Haulout's back.
async fn kill_instance(world: &World, machine: &Machine) {
    world
        .compute
        .terminate(machine.instance_id.as_ref().unwrap())
        .await
        .unwrap();
    world.jump(Duration::from_secs(30));
}

#[test]
fn events_are_read_and_others_refused() {
    assert_eq!(
        RefreshEvent::try_from(schedule_event()).unwrap(),
        RefreshEvent::Schedule
    );
    let id = MachineId::generate();
    let event = execution_event(&format!("{id}-c1-r1"), "FAILED");
    assert_eq!(
        RefreshEvent::try_from(event).unwrap(),
        RefreshEvent::ExecutionEnded(Some(id))
    );
    let foreign = execution_event("by-hand", "ABORTED");
    assert_eq!(
        RefreshEvent::try_from(foreign).unwrap(),
        RefreshEvent::ExecutionEnded(None)
    );
    for event in [
        json!({}),
        json!({"source": "aws.ec2"}),
        json!({"source": "aws.states"}),
        json!([]),
    ] {
        assert!(RefreshEvent::try_from(event.clone()).is_err(), "{event}");
    }
}

#[tokio::test]
async fn a_healthy_deployment_is_left_alone() {
    let world = quiet_world(Settings::default()).await;
    let id = ready_machine(&world).await;
    let before = world.machine(&id).await;
    for _ in 0..30 {
        world.jump(Duration::from_mins(1));
        let report = sweep(&world).await;
        assert_eq!(
            (
                report.looked_at,
                report.resumed,
                report.terminated,
                report.closed
            ),
            (1, 0, 0, 0)
        );
    }
    assert_eq!(world.machine(&id).await, before);
}

#[tokio::test]
async fn an_execution_that_never_started_is_started_once() {
    let world = quiet_world(Settings::default()).await;
    let denied = CallFault::new(
        "instances",
        &start_execution(),
        Trouble::Refused(Refusal::AccessDenied),
    );
    world.faults.arm(denied);
    let id = world.create(&usual_request()).await.unwrap();
    world.jump(Duration::from_secs(59));
    assert_eq!(sweep(&world).await.resumed, 0, "within the grace period");
    world.jump(Duration::from_secs(1));
    assert_eq!(sweep(&world).await.resumed, 1);
    assert_eq!(sweep(&world).await.resumed, 0, "it runs");
    assert!(world.settle(HOUR).await);
    assert_eq!(world.machine(&id).await.status, Status::Ready);
    assert_eq!(world.stepfunctions.executions().len(), 1);
}

#[tokio::test]
async fn an_execution_that_ended_badly_is_followed_by_another_at_once() {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let id = world.create(&usual_request()).await.unwrap();
    world.until(Duration::from_secs(20), async |_| false).await;
    let name = world.machine(&id).await.execution_name();
    world.abort(&name);
    assert!(world.settle(HOUR).await);
    let machine = world.machine(&id).await;
    assert_eq!((machine.status, machine.run), (Status::Ready, 2));
    assert!(world.elapsed().as_secs() < 45);
    assert_eq!(broken_promises(&world).await, [""; 0]);
}

#[tokio::test]
async fn executions_that_keep_dying_fail_the_machine() {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let id = world.create(&usual_request()).await.unwrap();
    for _ in 0..3 {
        world.until(Duration::from_secs(3), async |_| false).await;
        let name = world.machine(&id).await.execution_name();
        world.abort(&name);
    }
    world
        .until(Duration::from_mins(1), async |world| world.is_idle())
        .await;
    let machine = world.machine(&id).await;
    assert_eq!(machine.status, Status::Failed);
    let error = machine.error.unwrap();
    assert_eq!(error.code, "execution_lost");
    assert!(error.message.contains('3'), "{}", error.message);
    assert_eq!(machine.desired, Desired::Terminated);
    sweep(&world).await;
    world.jump(Duration::from_secs(30));
    sweep(&world).await;
    assert_eq!(broken_promises(&world).await, [""; 0]);
}

#[tokio::test]
async fn the_instance_of_a_ready_machine_that_is_gone_is_an_error() {
    let world = quiet_world(Settings::default()).await;
    let id = ready_machine(&world).await;
    kill_instance(&world, &world.machine(&id).await).await;
    assert_eq!(sweep(&world).await.closed, 1);
    let machine = world.machine(&id).await;
    assert_eq!(machine.status, Status::Terminated);
    let error = machine.error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.phase),
        ("instance_gone", Status::Ready)
    );
    assert!(
        error.message.contains("User initiated shutdown"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn an_instance_that_ec2_does_not_show_is_gone_after_two_passes_and_ten_minutes() {
    let world = quiet_world(Settings::default()).await;
    let id = ready_machine(&world).await;
    // EC2 forgets a terminated instance after an hour.
    kill_instance(&world, &world.machine(&id).await).await;
    world.jump(Duration::from_hours(2));
    for minute in 0..10 {
        assert_eq!(sweep(&world).await.closed, 0, "minute {minute}");
        world.jump(Duration::from_mins(1));
    }
    assert_eq!(sweep(&world).await.closed, 1);
    assert_eq!(
        world.machine(&id).await.error.unwrap().code,
        "instance_gone"
    );
}

#[tokio::test]
async fn one_pass_that_misses_an_instance_closes_nothing() {
    let mut settings = Settings::default();
    // Longer than the launch: EC2's listing does not show the instance when the sweep looks.
    settings.sim.describe_lag = Duration::from_secs(20);
    let world = quiet_world(settings).await;
    let id = world.create(&usual_request()).await.unwrap();
    world.until(Duration::from_secs(3), async |_| false).await;
    world.delete(&id).await.unwrap();
    sweep(&world).await;
    let machine = world.machine(&id).await;
    assert_eq!(machine.closed_at, None);
    assert!(machine.missing.is_some());
    world.jump(Duration::from_secs(20));
    sweep(&world).await;
    let machine = world.machine(&id).await;
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(broken_promises(&world).await, [""; 0]);
}

#[tokio::test]
async fn nothing_is_decided_when_ec2_cannot_be_listed() {
    let world = quiet_world(Settings::default()).await;
    let id = ready_machine(&world).await;
    let before = world.machine(&id).await;
    let list = Action {
        service: Service::Ec2,
        name: "DescribeInstances".to_owned(),
    };
    world.faults.arm(CallFault::new(
        "refresh",
        &list,
        Trouble::Refused(Refusal::ServerError),
    ));
    world.jump(Duration::from_hours(24));
    let error = world.sweep(schedule_event()).await.unwrap().unwrap_err();
    assert!(error.contains("could not be listed"), "{error}");
    assert_eq!(world.machine(&id).await, before);
}

#[tokio::test]
async fn trouble_with_one_machine_does_not_keep_the_sweep_from_others() {
    let world = quiet_world(Settings::default()).await;
    let doomed = [
        ready_machine(&world).await,
        ready_machine(&world).await,
        ready_machine(&world).await,
    ];
    for id in &doomed {
        let now = world.clock.now();
        world
            .store
            .update(id, |machine| machine.terminate("test", now))
            .await
            .unwrap();
    }
    // One is protected from termination: EC2 refuses each call that names it.
    let instance = world.machine(&doomed[1]).await.instance_id.unwrap();
    let protected = Fault::new("ec2", "TerminateInstances", "OperationNotPermitted");
    let protected = protected.matching(instance.as_str()).times(u32::MAX);
    world.sim.arm_fault(protected).unwrap();
    let error = world.sweep(schedule_event()).await.unwrap().unwrap_err();
    assert!(error.contains("1 of 3 machines"), "{error}");
    let terminated = world
        .sim
        .state()
        .machines
        .iter()
        .filter(|it| it.state == "shutting-down")
        .count();
    assert_eq!(terminated, 2);
    world.sim.clear_faults();
    assert_eq!(
        sweep(&world).await.terminated,
        1,
        "the next pass does the rest"
    );
}

#[tokio::test]
async fn two_sweeps_at_once_do_no_harm() {
    for seed in 0..6 {
        let world = quiet_world(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        let kept_up = world.create(&usual_request()).await.unwrap();
        let deleted = world.create(&usual_request()).await.unwrap();
        world.until(Duration::from_secs(15), async |_| false).await;
        for id in [&kept_up, &deleted] {
            world.abort(&format!("{id}-c1-r1"));
        }
        let now = world.clock.now();
        world
            .store
            .update(&deleted, |machine| machine.terminate("test", now))
            .await
            .unwrap();
        world.jump(Duration::from_mins(1));
        let sweeps = together((0..3).map(|_| world.sweep(schedule_event()))).await;
        assert!(
            sweeps.into_iter().all(|report| report.unwrap().is_ok()),
            "seed {seed}"
        );
        assert_eq!(world.machine(&kept_up).await.run, 2, "seed {seed}");
        world.plan(Duration::from_mins(1), Job::Sweep);
        world.plan(Duration::from_mins(2), Job::Sweep);
        assert!(world.settle(HOUR).await, "seed {seed}");
        assert_eq!(broken_promises(&world).await, [""; 0], "seed {seed}");
        assert_eq!(world.machine(&kept_up).await.status, Status::Ready);
    }
}

#[tokio::test]
async fn the_sweep_counts_the_records() {
    let world = quiet_world(Settings::default()).await;
    let first = ready_machine(&world).await;
    ready_machine(&world).await;
    world.delete(&first).await.unwrap();
    world.jump(Duration::from_mins(1));
    sweep(&world).await;
    let counts = world.store.counts().await.unwrap();
    let total = |status| {
        counts.total(Filter {
            status,
            source: None,
        })
    };
    assert_eq!(total(None), 2);
    assert_eq!(
        (total(Some(Status::Ready)), total(Some(Status::Terminated))),
        (1, 1)
    );
}

#[tokio::test]
async fn an_unknown_machines_event_is_no_trouble() {
    let world = quiet_world(Settings::default()).await;
    for execution in [
        format!("{}-c1-r1", MachineId::generate()),
        "by-hand".to_owned(),
    ] {
        assert!(
            world
                .sweep(execution_event(&execution, "FAILED"))
                .await
                .unwrap()
                .is_ok()
        );
    }
}
