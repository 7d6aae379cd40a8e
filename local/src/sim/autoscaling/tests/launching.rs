//! Launches: when, where, from what, and what happens when there is no room.

use super::{GROUP, Lab};
use crate::sim::{Capacity, EventKind, Fault};

#[tokio::test]
async fn a_higher_capacity_brings_instances_into_service() {
    let lab = Lab::new(1).await;
    lab.set_desired(4).await;
    assert_eq!(lab.group().instances.len(), 1);
    lab.advance(2);
    assert_eq!(lab.group().count("Pending"), 3);
    lab.advance(11);
    assert_eq!(lab.group().count("InService"), 1);
    lab.advance(1);
    assert_eq!(lab.group().count("InService"), 4);
    let state = lab.sim.state();
    assert_eq!(state.tagged("aws:autoscaling:groupName", GROUP).len(), 4);
    let machine = &state.machines[3];
    assert_eq!(machine.tags["aws:ec2launchtemplate:version"], "1");
    assert_eq!(state.calls_of("autoscaling", "SetDesiredCapacity"), 1);
    assert_eq!(state.calls_of("ec2", "RunInstances"), 0);
}

#[tokio::test]
async fn a_jump_of_the_clock_puts_everything_where_it_belongs() {
    let lab = Lab::new(1).await;
    let before = lab.sim.clock().now();
    lab.set_desired(2).await;
    lab.advance(3_600);
    assert_eq!(lab.group().count("InService"), 2);
    let launched = lab.sim.state().machines[1].launch_time;
    assert_eq!(launched.duration_since(before).as_secs(), 2);
    // The last of what there is to tell was told in its order.
    let told = lab.sim.events_due(lab.sim.clock().now());
    assert!(told.is_sorted_by_key(|event| event.at));
    assert_eq!(lab.sim.next_event(), None);
}

#[tokio::test]
async fn launches_are_spread_over_the_zones() {
    let lab = Lab::new(7).await;
    let count = |zone: &str| {
        let instances = lab.group().instances.into_iter();
        instances
            .filter(|i| i.availability_zone.ends_with(zone))
            .count()
    };
    let mut counts = [count("a"), count("b"), count("c")];
    counts.sort_unstable();
    assert_eq!(counts, [2, 2, 3]);
}

#[tokio::test]
async fn what_finds_no_room_is_tried_elsewhere_and_again_later() {
    let limit = |zone: &str, limit| Capacity {
        zone: zone.into(),
        instance_type: "*".into(),
        market: None,
        limit,
    };
    let lab = Lab::with(1, |_| {}).await;
    let full = vec![
        limit("us-east-1a", 1),
        limit("us-east-1b", 0),
        limit("us-east-1c", 3),
    ];
    lab.sim.set_capacity(full);
    lab.told();
    lab.set_desired(6).await;
    lab.advance(2);
    assert_eq!(lab.group().instances.len(), 4);
    let failed = lab.told();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].kind, EventKind::GroupLaunchFailure);
    let text = lab
        .done(&format!(
            "Action=DescribeScalingActivities&AutoScalingGroupName={GROUP}&MaxRecords=1"
        ))
        .await;
    assert!(text.contains("<StatusCode>Failed</StatusCode>"), "{text}");
    assert!(text.contains("Launching EC2 instance failed."), "{text}");
    lab.advance(14);
    assert_eq!(lab.group().instances.len(), 4);
    lab.advance(1);
    // The launch that was due found no room, though nobody looked before there was some.
    lab.sim.set_capacity(Vec::new());
    assert_eq!(lab.group().instances.len(), 4);
    lab.advance(30);
    assert_eq!(lab.group().instances.len(), 6);
}

#[tokio::test]
async fn an_instance_that_never_serves_leaves_and_is_launched_anew() {
    let lab = Lab::new(1).await;
    lab.told();
    let mut dies = Fault::new("machine", "boot", "dies").matching(GROUP);
    dies.reason = Some("Client.VolumeLimitExceeded".into());
    lab.sim.arm_fault(dies).unwrap();
    lab.set_desired(2).await;
    lab.advance(2 + 6);
    assert_eq!(lab.group().instances.len(), 1);
    let told = lab.told();
    assert_eq!(told[0].kind, EventKind::GroupLaunchFailure);
    let message = told[0].body()["detail"]["StatusMessage"].clone();
    let expected = "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: \
                    Client.VolumeLimitExceeded: Volume limit exceeded";
    assert_eq!(message, expected);
    lab.advance(60);
    assert_eq!(lab.group().count("InService"), 2);
}

#[tokio::test]
async fn without_the_launch_process_nothing_is_launched() {
    let lab = Lab::new(1).await;
    lab.suspend("Launch").await;
    lab.set_desired(3).await;
    lab.advance(600);
    assert_eq!(lab.group().instances.len(), 1);
    lab.resume("Launch").await;
    lab.advance(20);
    assert_eq!(lab.group().count("InService"), 3);
}

#[tokio::test]
async fn a_group_that_was_made_launches_with_its_tags() {
    let lab = Lab::new(1).await;
    let form = "Action=CreateAutoScalingGroup&AutoScalingGroupName=other&MinSize=2&MaxSize=4\
                &LaunchTemplate.LaunchTemplateName=haulout-local&LaunchTemplate.Version=$Latest\
                &AvailabilityZones.member.1=us-east-1b&Tags.member.1.Key=team&Tags.member.1.Value=a\
                &Tags.member.1.PropagateAtLaunch=true&Tags.member.2.Key=own&Tags.member.2.Value=b";
    lab.done(form).await;
    assert_eq!(lab.refused(form).await.0, "AlreadyExists");
    lab.advance(20);
    let state = lab.sim.state();
    let machines = state.tagged("aws:autoscaling:groupName", "other");
    assert_eq!(machines.len(), 2);
    assert_eq!(machines[0].tags["team"], "a");
    assert!(!machines[0].tags.contains_key("own"));
    assert_eq!(machines[0].availability_zone, "us-east-1b");
}
