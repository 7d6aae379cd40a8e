//! Events of Auto Scaling: told when they happen, once each.

use serde_json::json;

use super::{GROUP, Lab};
use crate::sim::EventKind;

#[tokio::test]
async fn launches_and_terminations_are_told_once() {
    let lab = Lab::new(1).await;
    let told = lab.told();
    assert_eq!(told.len(), 1);
    assert_eq!(lab.told(), [], "each is told once");
    let id = lab.ids()[0].clone();
    let launch = &told[0];
    assert_eq!(
        (launch.kind, launch.group()),
        (EventKind::GroupLaunch, Some(GROUP))
    );
    assert_eq!(launch.instance_id, id);
    let body = launch.body();
    assert_eq!(body["source"], "aws.autoscaling");
    assert_eq!(body["detail-type"], "EC2 Instance Launch Successful");
    assert_eq!(body["time"], "2026-01-01T00:00:14Z");
    let arn = format!("arn:aws:ec2:us-east-1:123456789012:instance/{id}");
    assert_eq!(body["resources"][1], arn);
    let detail = &body["detail"];
    assert_eq!(detail["EC2InstanceId"], id);
    assert_eq!(detail["AutoScalingGroupName"], GROUP);
    assert_eq!(detail["StartTime"], "2026-01-01T00:00:02Z");
    assert_eq!(detail["Origin"], "EC2");
    lab.ec2("TerminateInstances", &id).await;
    lab.advance(60);
    let told = lab.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::GroupTermination, EventKind::GroupLaunch]);
    let body = told[0].body();
    assert_eq!(body["detail-type"], "EC2 Instance Terminate Successful");
    assert_eq!(body["detail"]["Destination"], json!("EC2"));
}

#[tokio::test]
async fn the_next_event_is_known_before_the_instance_is() {
    let lab = Lab::new(1).await;
    lab.sim.events_due(lab.sim.clock().now());
    assert_eq!(lab.sim.next_event(), None);
    lab.set_desired(2).await;
    let mut seconds = Vec::new();
    while let Some(next) = lab.sim.next_event() {
        let ahead = next.duration_since(lab.sim.clock().now());
        seconds.push(ahead.as_secs());
        lab.sim.clock().advance(ahead.unsigned_abs());
        lab.sim.events_due(next);
    }
    assert_eq!(seconds, [2, 12]);
    assert_eq!(lab.group().count("InService"), 2);
}

#[tokio::test]
async fn the_stream_tells_of_what_a_group_does_by_itself() {
    let lab = Lab::new(1).await;
    let mut stream = lab.sim.events();
    stream.next().await.unwrap();
    lab.set_desired(2).await;
    let clock = lab.sim.clock().clone();
    let mut told = Vec::new();
    while !told.contains(&EventKind::GroupLaunch) {
        clock.advance(std::time::Duration::from_secs(1));
        let next = tokio::time::timeout(std::time::Duration::from_millis(20), stream.next());
        if let Ok(events) = next.await {
            told.extend(events.unwrap().into_iter().map(|event| event.kind));
        }
    }
    let states = [EventKind::State("pending"), EventKind::State("running")];
    assert_eq!(told, [&states[..], &[EventKind::GroupLaunch]].concat());
}
