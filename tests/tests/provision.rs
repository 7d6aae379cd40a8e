//! Launches on the whole deployment, in process: what they cost, and how each phase fails.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use haulout_domain::{machine::Machine, status::Status};
use haulout_local::sim::{Capacity, Fault};
use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal, Service},
    faults::{CallFault, Fate, InvocationFault, Trouble},
    measure::{Trace, launch},
    settings::{STAGED, Settings, staged},
    verdict::broken_promises,
    world::{World, usual_request},
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

/// Runs a launch to its end, and holds it to every promise.
async fn ended(world: &World, body: &Value) -> Machine {
    let id = world.create(body).await.unwrap();
    assert!(world.settle(HOUR).await, "{:?}", world.machine(&id).await);
    assert_eq!(broken_promises(world).await, [""; 0]);
    world.machine(&id).await
}

/// Seconds from the request until the machine failed.
fn failed_after(machine: &Machine) -> i64 {
    let failed = machine
        .timeline
        .iter()
        .find(|entry| entry.phase == Status::Failed)
        .unwrap();
    failed.at.duration_since(machine.created_at).as_secs()
}

#[track_caller]
fn assert_failed(machine: &Machine, code: &str, says: &str) {
    assert_eq!(machine.status, Status::Failed);
    let error = machine.error.as_ref().unwrap();
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(says), "{error}");
}

/// The benchmark prints the figures; these are its bounds.
#[tokio::test]
async fn a_usual_launch_is_quick_and_cheap() {
    let cost = launch(Trace::USUAL).await.unwrap();
    assert!(cost.lag_seconds <= 3.0, "{cost:?}");
    assert!(cost.transitions <= 60, "{cost:?}");
    assert!(cost.call_count() <= 80, "{cost:?}");
}

#[tokio::test]
async fn a_launch_goes_through_its_phases() {
    let world = World::start(Settings::default()).await;
    let machine = ended(&world, &usual_request()).await;
    let phases: Vec<&str> = machine
        .timeline
        .iter()
        .map(|entry| entry.phase.as_str())
        .collect();
    assert_eq!(
        phases,
        [
            "waiting_for_instance",
            "waiting_for_ssm",
            "fetching_blob",
            "ready"
        ]
    );
    assert_eq!(machine.output.as_deref(), Some(STAGED));
    let state = world.sim.state();
    assert_eq!(state.machines[0].tags["Name"], "walrus-vm-20260101-000000");
    assert_eq!(state.machines[0].tags["ManagedBy"], "haulout");
    let sent = &state.commands[0].text;
    assert!(
        sent.contains(&format!("MACHINE='{}'", machine.id)),
        "{sent}"
    );
    assert!(sent.contains("BLOB_PATH='/v1/blobs/E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU'"));
}

#[tokio::test]
async fn a_machine_with_nothing_to_stage_waits_for_its_status_checks() {
    let world = World::start(Settings::default()).await;
    let machine = ended(&world, &json!({})).await;
    assert_eq!(machine.status, Status::Ready);
    assert!(
        machine
            .updated_at
            .duration_since(machine.created_at)
            .as_secs()
            >= 42
    );
    assert!(world.sim.state().commands.is_empty());
}

#[tokio::test]
async fn a_launch_is_ready_though_aws_shows_things_late() {
    let world = World::start(Settings::default().lagging(40)).await;
    assert_eq!(ended(&world, &usual_request()).await.status, Status::Ready);
}

#[tokio::test]
async fn each_phase_has_its_deadline() {
    for (what, fault, code, seconds) in [
        ("boot", "never", "instance_timeout", 300),
        ("register", "never", "agent_timeout", 312),
        ("command", "hang", "command_timeout", 175),
    ] {
        let world = World::start(Settings::default()).await;
        world
            .sim
            .arm_fault(Fault::new("machine", what, fault))
            .unwrap();
        let machine = ended(&world, &usual_request()).await;
        assert_failed(&machine, code, " s");
        let after = failed_after(&machine);
        assert!(
            (seconds..=seconds + 30).contains(&after),
            "{what}: after {after} s"
        );
    }
}

#[tokio::test]
async fn the_command_has_the_time_that_was_asked_for() {
    let world = World::start(Settings::staging(|_| staged(Duration::from_secs(1_000)))).await;
    let mut body = usual_request();
    body["command_timeout_seconds"] = json!(1_100);
    assert_eq!(ended(&world, &body).await.status, Status::Ready);
    let machine = ended(&world, &usual_request()).await;
    assert_failed(&machine, "command_timeout", "150 s");
}

#[tokio::test]
async fn an_instance_that_dies_while_booting_says_why() {
    let world = World::start(Settings::default()).await;
    let mut fault = Fault::new("machine", "boot", "dies");
    fault.reason = Some("Client.VolumeLimitExceeded".to_owned());
    world.sim.arm_fault(fault).unwrap();
    let machine = ended(&world, &usual_request()).await;
    assert_failed(&machine, "limit_exceeded", "Volume limit exceeded");
}

#[tokio::test]
async fn what_ec2_refuses_fails_at_once_and_says_why() {
    for (code, expected) in [
        ("InsufficientInstanceCapacity", "insufficient_capacity"),
        ("VcpuLimitExceeded", "limit_exceeded"),
        ("UnauthorizedOperation", "permission_denied"),
        ("InvalidAMIID.NotFound", "ami_invalid"),
        ("InvalidSubnetID.NotFound", "network_invalid"),
        (
            "InvalidLaunchTemplateId.NotFoundException",
            "launch_template_invalid",
        ),
        ("SomethingNew", "aws_error"),
    ] {
        let world = World::start(Settings::default()).await;
        world
            .sim
            .arm_fault(Fault::new("ec2", "RunInstances", code).times(10))
            .unwrap();
        let machine = ended(&world, &usual_request()).await;
        assert_failed(&machine, expected, code);
        assert!(failed_after(&machine) <= 1, "{code}");
        assert_eq!(world.sim.state().launched, 0);
    }
}

#[tokio::test]
async fn capacity_that_comes_back_helps_the_next_machine() {
    let mut settings = Settings::default();
    settings.sim.capacity = vec![Capacity {
        zone: "*".to_owned(),
        instance_type: "*".to_owned(),
        market: None,
        limit: 0,
    }];
    let world = World::start(settings).await;
    assert_failed(
        &ended(&world, &usual_request()).await,
        "insufficient_capacity",
        "every place there is to try",
    );
    world.sim.set_capacity(Vec::new());
    assert_eq!(ended(&world, &usual_request()).await.status, Status::Ready);
}

#[tokio::test]
async fn a_launch_that_is_held_up_still_has_its_whole_time() {
    let world = World::start(Settings::default()).await;
    let start = Action {
        service: Service::StepFunctions,
        name: "StartExecution".to_owned(),
    };
    let fault = CallFault::new("", &start, Trouble::Refused(Refusal::ServerError));
    let until = world
        .started
        .saturating_add(jiff::SignedDuration::from_mins(8))
        .unwrap();
    world.faults.arm(CallFault { until, ..fault });
    assert_eq!(ended(&world, &usual_request()).await.status, Status::Ready);
    assert!(world.elapsed().as_mins() >= 8);
}

#[tokio::test]
async fn a_kept_machine_lives_until_its_time_is_over_or_its_owner_ends_it() {
    for deleted in [false, true] {
        let world = World::start(Settings::failing()).await;
        let mut body = usual_request();
        body["on_failure"] = json!("keep");
        let id = world.create(&body).await.unwrap();
        let failed = async |world: &World| world.machine(&id).await.status == Status::Failed;
        assert!(world.until(HOUR, failed).await);
        world.until(Duration::from_mins(5), async |_| false).await;
        let machine = world.machine(&id).await;
        assert!(machine.expires_at.is_some());
        assert_eq!(machine.closed_at, None);
        assert_eq!(world.sim.state().machines[0].state, "running");
        if deleted {
            world.plan(Duration::ZERO, Job::Delete(id.clone()));
        }
        assert!(world.settle(HOUR).await);
        assert_eq!(broken_promises(&world).await, [""; 0]);
        let kept = world.elapsed().as_mins();
        assert!(
            if deleted { kept < 8 } else { kept >= 10 },
            "{kept} minutes"
        );
        assert_eq!(world.machine(&id).await.error.unwrap().code, "not_a_zip");
    }
}

#[tokio::test]
async fn deleting_again_changes_nothing() {
    let world = World::start(Settings::default()).await;
    let id = world.create(&usual_request()).await.unwrap();
    assert_eq!(world.delete(&id).await, Some(202));
    assert_eq!(world.delete(&id).await, Some(202));
    assert!(world.settle(HOUR).await);
    let ended = world.machine(&id).await;
    assert_eq!(ended.status, Status::Terminated);
    assert_eq!(world.delete(&id).await, Some(202));
    assert_eq!(world.machine(&id).await, ended);
}

#[tokio::test]
async fn who_is_slow_does_not_turn_the_timeline_back() {
    let world = World::start(Settings::default()).await;
    let id = world.create(&usual_request()).await.unwrap();
    world.faults.doom(InvocationFault {
        function: "instances.delete".to_owned(),
        fate: Fate::Stalled {
            after_calls: 2,
            seconds: 50,
        },
        skip: 0,
        times: 1,
        until: jiff::Timestamp::MAX,
    });
    // It takes the time, stalls, and writes when the machine has long been ready.
    world.plan(Duration::from_secs(5), Job::Delete(id.clone()));
    world
        .until(HOUR, async |world| world.elapsed().as_secs() > 60)
        .await;
    assert!(world.settle(HOUR).await);
    let machine = world.machine(&id).await;
    let phases: Vec<Status> = machine.timeline.iter().map(|entry| entry.phase).collect();
    assert!(
        phases.contains(&Status::Ready) && machine.status == Status::Terminated,
        "{phases:?}"
    );
    assert_eq!(broken_promises(&world).await, [""; 0]);
}
