//! The function that hears what happens: EC2's events, and the stream of the records.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use haulout_aws::{clock::Clock, emf::Metrics, groups::Groups, notify::Notifier};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    status::{Desired, InstanceState, Status},
};
use haulout_events::{Answer, Event, EventError, Events};
use haulout_local::sim::Fault;
use haulout_tests::{
    settings::Settings,
    sns::TOPIC_ARN,
    world::{DEPLOYMENT, World, usual_request},
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);
const BOOT: Duration = Duration::from_secs(20);

/// EC2 user guide, "State change events for your instances".
fn state_event(instance: &str, state: &str) -> Value {
    json!({
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [format!("arn:aws:ec2:us-east-1:123456789012:instance/{instance}")],
        "detail": {"instance-id": instance, "state": state},
    })
}

/// EC2 user guide, "Spot Instance interruption notices".
fn interruption_event(instance: &str) -> Value {
    json!({
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [format!("arn:aws:ec2:us-east-1a:instance/{instance}")],
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    })
}

/// A world whose events only the test delivers.
async fn quiet_world() -> World {
    World::start(Settings {
        sweeps: false,
        events: false,
        ..Settings::default()
    })
    .await
}

fn events_with(world: &World, topic: &str) -> Events {
    let time = world.clock.clone();
    Events {
        store: world.store.clone(),
        compute: world.compute.clone(),
        groups: Groups::new(world.sdk_config(), DEPLOYMENT),
        workflow: world.workflow.clone(),
        notifier: Notifier::new(world.sdk_config(), Some(topic.to_owned())),
        clock: Clock::from_fn(move || time.now()),
        metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
    }
}

fn events(world: &World) -> Events {
    events_with(world, TOPIC_ARN)
}

async fn ready_machine(world: &World) -> (MachineId, InstanceId) {
    let id = world.create(&usual_request()).await.unwrap();
    assert!(world.settle(HOUR).await);
    let machine = world.machine(&id).await;
    assert_eq!(machine.status, Status::Ready);
    (id, machine.instance_id.unwrap())
}

/// Delivers an event of EC2's; the machine's status then.
async fn hear(world: &World, machine: &MachineId, event: Value) -> Status {
    let answer = events(world).run(event).await.unwrap();
    assert_eq!(answer, Answer::default());
    world.machine(machine).await.status
}

#[test]
fn events_are_read_and_malformed_ones_are_errors() {
    let instance = "i-0123456789abcdef0";
    let event = Event::try_from(state_event(instance, "shutting-down")).unwrap();
    assert!(
        matches!(event, Event::State { state: InstanceState::ShuttingDown, instance: id } if id.as_str() == instance)
    );
    let event = Event::try_from(interruption_event(instance)).unwrap();
    assert!(matches!(event, Event::Interruption { instance: id } if id.as_str() == instance));
    let mut other = state_event(instance, "running");
    other["detail-type"] = "EC2 Instance Rebalance Recommendation".into();
    assert!(matches!(Event::try_from(other), Ok(Event::Other { .. })));
    let of = |event: Value| Event::try_from(event).unwrap_err();
    assert!(matches!(
        of(state_event("i-1", "running")),
        EventError::Instance(_)
    ));
    assert!(matches!(
        of(state_event(instance, "melting")),
        EventError::State(_)
    ));
    let mut empty = state_event(instance, "running");
    empty["detail"] = json!({});
    assert!(matches!(of(empty), EventError::Shape(_)));
    for event in [json!({}), json!([]), json!({"source": "aws.ec2"})] {
        assert!(matches!(of(event), EventError::Unknown));
    }
    assert!(matches!(of(json!({"Records": 1})), EventError::Shape(_)));
}

#[tokio::test]
async fn events_of_instances_that_nobody_knows_are_ignored() {
    let world = quiet_world().await;
    let (id, _) = ready_machine(&world).await;
    let before = world.machine(&id).await;
    for state in ["running", "terminated"] {
        hear(&world, &id, state_event("i-0123456789abcdef0", state)).await;
    }
    hear(&world, &id, interruption_event("i-0123456789abcdef0")).await;
    assert_eq!(world.machine(&id).await, before);
}

#[tokio::test]
async fn a_stop_is_seen_through_and_a_late_event_turns_nothing_back() {
    let world = quiet_world().await;
    let (id, instance) = ready_machine(&world).await;
    assert_eq!(world.post(&id, "stop").await, Some(202));
    let i = instance.as_str();
    assert_eq!(
        hear(&world, &id, state_event(i, "stopping")).await,
        Status::Stopping
    );
    world.jump(BOOT);
    assert_eq!(
        hear(&world, &id, state_event(i, "stopped")).await,
        Status::Stopped
    );
    // What counts is what EC2 says now, whatever the event says.
    for late in ["running", "stopping", "stopped"] {
        assert_eq!(
            hear(&world, &id, state_event(i, late)).await,
            Status::Stopped
        );
    }
    let machine = world.machine(&id).await;
    assert_eq!(machine.instance.unwrap().state, InstanceState::Stopped);
}

#[tokio::test]
async fn a_machine_started_outside_gets_an_execution_and_its_new_address() {
    let world = quiet_world().await;
    let (id, instance) = ready_machine(&world).await;
    let before = world.machine(&id).await.instance.unwrap().public_ip;
    world.post(&id, "stop").await;
    world.jump(BOOT);
    hear(&world, &id, state_event(instance.as_str(), "stopped")).await;
    world.jump(Duration::from_mins(2));
    world.compute.start(&instance).await.unwrap();
    world.jump(BOOT);
    let status = hear(&world, &id, state_event(instance.as_str(), "running")).await;
    assert_eq!(status, Status::Starting);
    let machine = world.machine(&id).await;
    assert_eq!((machine.cycle, machine.desired), (2, Desired::Running));
    let execution = machine.execution_name();
    assert!(world.stepfunctions.executions().contains_key(&execution));
    assert_ne!(machine.instance.unwrap().public_ip, before);
    assert!(world.settle(HOUR).await);
    assert_eq!(world.machine(&id).await.status, Status::Ready);
}

#[tokio::test]
async fn terminated_is_believed_even_when_ec2_cannot_be_asked() {
    let world = quiet_world().await;
    let (id, instance) = ready_machine(&world).await;
    world.compute.terminate(&instance).await.unwrap();
    let i = instance.as_str();
    assert_eq!(
        hear(&world, &id, state_event(i, "shutting-down")).await,
        Status::Ready
    );
    let fault = Fault::new("ec2", "DescribeInstances", "UnauthorizedOperation");
    world.sim.arm_fault(fault).unwrap();
    assert_eq!(
        hear(&world, &id, state_event(i, "terminated")).await,
        Status::Terminated
    );
    let machine = world.machine(&id).await;
    assert_eq!(machine.error.as_ref().unwrap().code, "instance_gone");
    assert!(machine.closed_at.is_some());
    assert_eq!(
        hear(&world, &id, state_event(i, "terminated")).await,
        Status::Terminated
    );
    assert_eq!(
        world.machine(&id).await,
        machine,
        "told twice, changed once"
    );
}

#[tokio::test]
async fn why_an_instance_ended_is_told_by_ec2() {
    let world = quiet_world().await;
    let (id, instance) = ready_machine(&world).await;
    world.compute.terminate(&instance).await.unwrap();
    world.jump(BOOT);
    hear(&world, &id, state_event(instance.as_str(), "terminated")).await;
    let error = world.machine(&id).await.error.unwrap();
    assert!(
        error.message.contains("User initiated shutdown"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn an_interruption_is_noted_and_ends_only_what_nobody_uses_yet() {
    let world = quiet_world().await;
    let (id, instance) = ready_machine(&world).await;
    let status = hear(&world, &id, interruption_event(instance.as_str())).await;
    assert_eq!(status, Status::Interrupted);
    let machine = world.machine(&id).await;
    assert_eq!(machine.desired, Desired::Running);
    assert_eq!(machine.error.unwrap().code, "spot_interrupted");
    let state = |instance: &InstanceId| {
        let machines = world.sim.state().machines;
        let found = machines
            .into_iter()
            .find(|it| it.instance_id == instance.as_str());
        found.unwrap().state
    };
    assert_eq!(state(&instance), "running");

    let fresh = world.create(&usual_request()).await.unwrap();
    world.until(Duration::from_secs(5), async |_| false).await;
    let instance = world.machine(&fresh).await.instance_id.unwrap();
    let status = hear(&world, &fresh, interruption_event(instance.as_str())).await;
    assert_eq!(status, Status::Interrupted);
    assert_eq!(world.machine(&fresh).await.desired, Desired::Terminated);
    assert_eq!(state(&instance), "shutting-down");
}

#[tokio::test]
async fn an_event_that_cannot_be_acted_on_is_an_error_so_that_it_comes_again() {
    let world = quiet_world().await;
    let (_, instance) = ready_machine(&world).await;
    let fault = Fault::new("ec2", "DescribeInstances", "UnauthorizedOperation");
    world.sim.arm_fault(fault).unwrap();
    let event = state_event(instance.as_str(), "stopped");
    assert!(events(&world).run(event.clone()).await.is_err());
    assert!(events(&world).run(event).await.is_ok());
}

/// What the events function gets of the stream, with the last record's sequence number.
fn batch(records: &[Value]) -> (Value, String) {
    let last = &records.last().unwrap()["dynamodb"]["SequenceNumber"];
    (
        json!({"Records": records}),
        last.as_str().unwrap().to_owned(),
    )
}

fn subjects(world: &World) -> Vec<String> {
    let attribute = |message: haulout_tests::sns::Message| message.attributes["event"].clone();
    world.sns.messages().into_iter().map(attribute).collect()
}

#[tokio::test]
async fn writes_are_told_and_what_cannot_be_read_is_left_out() {
    let world = quiet_world().await;
    let (id, _) = ready_machine(&world).await;
    let mut records = world.writes_from(0);
    let told = subjects(&world).len();
    let poison = json!({"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "7", "NewImage": {"id": {"S": "x"}}}});
    let foreign = json!({"eventName": "MODIFY", "dynamodb": {"NewImage": {"id": {"Q": 1}}}});
    let removed = json!({"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "8"}});
    records.splice(1..1, [poison, foreign, removed]);
    let (event, _) = batch(&records);
    let answer = events(&world).run(event).await.unwrap();
    assert_eq!(answer, Answer::default());
    let subjects = subjects(&world).split_off(told);
    assert_eq!(subjects, ["created", "ready"]);
    let messages = world.sns.messages();
    let last = messages.last().unwrap();
    assert_eq!(last.attributes["machine_id"], id.as_str());
    assert!(last.body.contains(id.as_str()));
}

#[tokio::test]
async fn a_notice_that_cannot_be_sent_breaks_the_batch_off_there() {
    let world = quiet_world().await;
    ready_machine(&world).await;
    let records = world.writes_from(0);
    let is_first_told = |record: &&Value| record["eventName"] == "INSERT";
    let first = records.iter().find(is_first_told).unwrap();
    let (event, _) = batch(&records);
    let answer = events_with(&world, "arn:aws:sns:us-east-1:123456789012:nowhere")
        .run(event)
        .await
        .unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let number = &first["dynamodb"]["SequenceNumber"];
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": number}]})
    );
}
