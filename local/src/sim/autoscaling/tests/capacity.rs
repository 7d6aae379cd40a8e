//! The desired capacity, its bounds, and scale-ins.

use super::{GROUP, Lab, too_many_ids};

#[tokio::test]
async fn a_capacity_outside_the_bounds_is_refused_in_awss_words() {
    let lab = Lab::new(1).await;
    let ask =
        |n| format!("Action=SetDesiredCapacity&AutoScalingGroupName={GROUP}&DesiredCapacity={n}");
    let (code, message) = lab.refused(&ask(21)).await;
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "New SetDesiredCapacity value 21 is above max value 20 for the AutoScalingGroup."
    );
    let (_, message) = lab.refused(&ask(0)).await;
    assert_eq!(
        message,
        "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."
    );
    for action in [
        "SetDesiredCapacity&DesiredCapacity=1",
        "UpdateAutoScalingGroup",
        "SuspendProcesses",
        "SetInstanceProtection&InstanceIds.member.1=i-1&ProtectedFromScaleIn=true",
    ] {
        let form = format!("Action={action}&AutoScalingGroupName=nobody");
        let (code, message) = lab.refused(&form).await;
        assert_eq!(code, "ValidationError");
        assert!(
            message.starts_with("AutoScalingGroup name not found - "),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_scale_in_takes_the_oldest_of_the_fullest_zone_and_no_protected_one() {
    let lab = Lab::new(4).await;
    let instances = lab.group().instances;
    let zone_of_two = &instances[0].availability_zone;
    let of_two: Vec<_> = instances
        .iter()
        .filter(|i| i.availability_zone == *zone_of_two)
        .collect();
    assert_eq!(of_two.len(), 2);
    lab.set_desired(3).await;
    let first = lab.instance(&of_two[0].instance_id).unwrap();
    assert_eq!(first.lifecycle_state, "Terminating");
    lab.advance(10);
    assert_eq!(lab.group().instances.len(), 3);
    for id in lab.ids() {
        lab.protect(&id, true).await;
    }
    lab.set_desired(1).await;
    lab.advance(600);
    assert_eq!(lab.group().count("InService"), 3, "all are protected");
    let id = lab.ids()[1].clone();
    lab.protect(&id, false).await;
    lab.advance(10);
    assert_eq!(lab.group().instances.len(), 2);
    assert!(!lab.ids().contains(&id));
}

#[tokio::test]
async fn without_the_terminate_process_nothing_is_scaled_in() {
    let lab = Lab::new(3).await;
    lab.suspend("Terminate").await;
    lab.set_desired(1).await;
    lab.advance(600);
    assert_eq!(lab.group().count("InService"), 3);
    lab.resume("Terminate").await;
    lab.advance(10);
    assert_eq!(lab.group().count("InService"), 1);
}

#[tokio::test]
async fn protection_is_for_instances_in_service_and_for_fifty_at_once() {
    let lab = Lab::with(1, |config| {
        config.auto_scaling_groups[0].new_instances_protected = true;
    })
    .await;
    assert!(lab.group().instances[0].protected);
    lab.set_desired(2).await;
    lab.advance(3);
    let pending = lab.ids()[1].clone();
    let ask = |id: &str| {
        format!(
            "Action=SetInstanceProtection&AutoScalingGroupName={GROUP}&InstanceIds.member.1={id}\
             &ProtectedFromScaleIn=false"
        )
    };
    let (_, message) = lab.refused(&ask(&pending)).await;
    assert_eq!(
        message,
        format!("The instance {pending} is not in InService or EnteringStandby or Standby.")
    );
    let (_, message) = lab.refused(&ask("i-00000000000000000")).await;
    assert_eq!(
        message,
        format!("The instance i-00000000000000000 is not part of Auto Scaling group {GROUP}.")
    );
    let many = too_many_ids();
    let form = format!(
        "Action=SetInstanceProtection&AutoScalingGroupName={GROUP}&ProtectedFromScaleIn=true{many}"
    );
    assert_eq!(lab.refused(&form).await.0, "ValidationError");
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let lab = Lab::new(2).await;
    let ask =
        |what: &str| format!("Action=UpdateAutoScalingGroup&AutoScalingGroupName={GROUP}&{what}");
    lab.done(&ask("MinSize=3&NewInstancesProtectedFromScaleIn=true"))
        .await;
    lab.advance(20);
    let group = lab.group();
    assert_eq!((group.min, group.max, group.desired), (3, 20, 3));
    assert!(group.instances[2].protected && !group.instances[0].protected);
    let (_, message) = lab.refused(&ask("DesiredCapacity=30")).await;
    assert_eq!(
        message,
        "Desired capacity:30 must be between the specified min size:3 and max size:20"
    );
    let (_, message) = lab.refused(&ask("MaxSize=2")).await;
    assert_eq!(
        message,
        "Max bound, 2, must be greater than or equal to min bound, 3"
    );
    lab.done(&ask("MinSize=0&MaxSize=1")).await;
    assert_eq!(lab.group().desired, 1);
}

#[tokio::test]
async fn a_group_is_deleted_once_it_is_empty_or_by_force() {
    let lab = Lab::new(2).await;
    let form = format!("Action=DeleteAutoScalingGroup&AutoScalingGroupName={GROUP}");
    assert_eq!(lab.refused(&form).await.0, "ResourceInUse");
    lab.done(&format!("{form}&ForceDelete=true")).await;
    let text = lab.done("Action=DescribeAutoScalingGroups").await;
    assert!(
        text.contains("<Status>Delete in progress</Status>"),
        "{text}"
    );
    lab.advance(10);
    assert!(lab.sim.state().groups.is_empty());
    assert!(
        lab.sim
            .state()
            .machines
            .iter()
            .all(|m| m.state == "terminated")
    );
}
