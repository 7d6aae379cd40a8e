//! Events for EventBridge: what happens to instances, in order, once each.

use std::time::Duration;

use haulout_local::sim::{Clock, Event, EventKind, Fault};
use serde_json::json;

use super::launch::one;
use super::scarcity::on_spot;
use super::{Lab, eventually, seeded};

fn names(events: &[Event]) -> Vec<&str> {
    let name = |event: &Event| match event.kind {
        EventKind::State(state) => state,
        EventKind::SpotInterruption => "warning",
        EventKind::GroupLaunch => "group launch",
        EventKind::GroupLaunchFailure => "group launch failure",
        EventKind::GroupTermination => "group termination",
    };
    events.iter().map(name).collect()
}

impl Lab {
    fn due(&self) -> Vec<Event> {
        self.sim.events_due(self.sim.clock().now())
    }
}

#[tokio::test]
async fn changes_of_state_are_told_when_they_happen() {
    let lab = Lab::new(|_| {}).await;
    assert_eq!(lab.sim.next_event(), None);
    let start = lab.sim.clock().now();
    let id = lab.launch("t").await;
    assert_eq!(lab.sim.next_event(), Some(start));
    assert_eq!(names(&lab.due()), ["pending"]);
    let running = lab.sim.next_event().unwrap();
    assert_eq!(running.duration_since(start).as_secs(), 12);
    assert_eq!(lab.sim.events_due(running), [], "none of the future");
    lab.advance(40);
    let events = lab.due();
    assert_eq!(names(&events), ["running"]);
    assert_eq!(events[0].at, running);
    assert_eq!(
        events[0].body(),
        json!({
            "version": "0",
            "id": events[0].id,
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": "123456789012",
            "time": "2026-01-01T00:00:12Z",
            "region": "us-east-1",
            "resources": [format!("arn:aws:ec2:us-east-1:123456789012:instance/{id}")],
            "detail": {"instance-id": id, "state": "running"},
        })
    );
    assert_eq!(lab.due(), [], "each is told once");
    lab.ec2
        .stop_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    lab.advance(15);
    lab.ec2
        .start_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    lab.advance(12);
    lab.terminate(&id).await;
    lab.advance(10);
    let expected = [
        "stopping",
        "stopped",
        "pending",
        "running",
        "shutting-down",
        "terminated",
    ];
    let events = lab.due();
    assert_eq!(names(&events), expected);
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(lab.sim.next_event(), None);
}

#[tokio::test]
async fn what_is_overtaken_is_never_told() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    lab.terminate(&id).await;
    lab.advance(60);
    let expected = ["pending", "shutting-down", "terminated"];
    assert_eq!(names(&lab.due()), expected);
    lab.sim
        .arm_fault(Fault::new("machine", "boot", "dies"))
        .unwrap();
    lab.launch("u").await;
    lab.advance(60);
    assert_eq!(names(&lab.due()), ["pending", "terminated"]);
}

#[tokio::test]
async fn an_interruption_is_announced() {
    let lab = Lab::new(|_| {}).await;
    let run = on_spot(one(&lab).launch_template(seeded()), None);
    let launched = run.send().await.unwrap();
    let id = launched.instances()[0].instance_id().unwrap().to_owned();
    lab.advance(12);
    lab.due();
    lab.sim.interrupt(&id).await.unwrap();
    let warning = &lab.due()[0];
    assert_eq!(
        warning.body()["detail-type"],
        "EC2 Spot Instance Interruption Warning"
    );
    assert_eq!(
        warning.body()["detail"],
        json!({"instance-id": id, "instance-action": "terminate"})
    );
    lab.advance(130);
    assert_eq!(names(&lab.due()), ["shutting-down", "terminated"]);
}

#[tokio::test]
async fn a_stream_waits_for_events_until_the_simulator_ends() {
    let lab = Lab::new(|config| config.clock = Clock::real(1_000.0)).await;
    let mut stream = lab.sim.events();
    let told = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(events) = stream.next().await {
            told.extend(events);
        }
        told
    });
    let id = lab.launch("t").await;
    eventually("a running machine", async || {
        (lab.state(&id).await == "running").then_some(())
    })
    .await;
    // The stream has them, or will before it ends: nobody else is told.
    eventually("events that are told", async || {
        let next = lab.sim.next_event();
        next.is_none().then_some(())
    })
    .await;
    lab.sim.shutdown().await;
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    assert_eq!(names(&told.unwrap().unwrap()), ["pending", "running"]);
}
