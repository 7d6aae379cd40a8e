//! Describe actions, pages, faults and refusals.

use hyper::StatusCode;

use super::{GROUP, Lab, between, too_many_ids};
use crate::sim::Fault;

#[tokio::test]
async fn a_group_is_described_with_its_instances() {
    let lab = Lab::new(2).await;
    lab.suspend("AZRebalance").await;
    let text = lab
        .done(&format!(
            "Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={GROUP}"
        ))
        .await;
    for part in [
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeAutoScalingGroupsResult><AutoScalingGroups><member>",
        "<MinSize>1</MinSize><MaxSize>20</MaxSize><DesiredCapacity>2</DesiredCapacity>",
        "<LaunchTemplateName>haulout-local</LaunchTemplateName><Version>$Default</Version>",
        "<LifecycleState>InService</LifecycleState><HealthStatus>Healthy</HealthStatus>",
        "<ProcessName>AZRebalance</ProcessName><SuspensionReason>User suspended at ",
        "<ResponseMetadata><RequestId>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let none = lab
        .done("Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1=nobody")
        .await;
    assert!(
        none.contains("<AutoScalingGroups></AutoScalingGroups>"),
        "{none}"
    );
}

#[tokio::test]
async fn instances_come_in_pages_or_by_their_ids() {
    let lab = Lab::new(5).await;
    let mut seen = Vec::new();
    let mut form = "Action=DescribeAutoScalingInstances&MaxRecords=2".to_owned();
    loop {
        let text = lab.done(&form).await;
        let ids = text.split("<InstanceId>").skip(1);
        seen.extend(ids.filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())));
        if !text.contains("<NextToken>") {
            break;
        }
        let token = between(&text, "NextToken");
        form = format!("Action=DescribeAutoScalingInstances&MaxRecords=2&NextToken={token}");
    }
    assert_eq!(seen, lab.ids());
    let ids = format!(
        "InstanceIds.member.1={}&InstanceIds.member.2=i-00000000",
        seen[3]
    );
    let text = lab
        .done(&format!("Action=DescribeAutoScalingInstances&{ids}"))
        .await;
    assert_eq!(text.matches("<member>").count(), 1);
    assert!(
        text.contains("<HealthStatus>HEALTHY</HealthStatus>"),
        "{text}"
    );
    let many = too_many_ids();
    let refused = [
        format!("Action=DescribeAutoScalingInstances{many}"),
        "Action=DescribeAutoScalingInstances&MaxRecords=51".into(),
        "Action=DescribeAutoScalingInstances&Colour=red".into(),
    ];
    for form in refused {
        assert_eq!(lab.refused(&form).await.0, "ValidationError", "{form}");
    }
    let (code, _) = lab
        .refused("Action=DescribeAutoScalingGroups&NextToken=x")
        .await;
    assert_eq!(code, "InvalidNextToken");
}

#[tokio::test]
async fn activities_come_newest_first_in_pages() {
    let lab = Lab::new(3).await;
    let form = format!("Action=DescribeScalingActivities&AutoScalingGroupName={GROUP}");
    let all = lab.done(&form).await;
    assert_eq!(
        all.matches("<StatusCode>Successful</StatusCode>").count(),
        3
    );
    let one = lab.done(&format!("{form}&MaxRecords=1")).await;
    assert_eq!(between(&one, "ActivityId"), between(&all, "ActivityId"));
    lab.set_desired(4).await;
    lab.advance(3);
    let token = between(&one, "NextToken");
    let two = lab
        .done(&format!("{form}&MaxRecords=1&NextToken={token}"))
        .await;
    assert_ne!(between(&two, "ActivityId"), between(&one, "ActivityId"));
    assert!(two.contains("<StatusCode>Successful</StatusCode>"), "{two}");
    let newest = lab.done(&format!("{form}&MaxRecords=1")).await;
    assert!(
        newest.contains("<StatusCode>InProgress</StatusCode>"),
        "{newest}"
    );
    assert!(
        newest.contains("increasing the capacity from 3 to 4."),
        "{newest}"
    );
}

#[tokio::test]
async fn faults_strike_as_errors_of_the_query_protocol() {
    let lab = Lab::new(1).await;
    let fault = Fault::new("autoscaling", "SetDesiredCapacity", "Throttling").matching(GROUP);
    lab.sim.arm_fault(fault).unwrap();
    let form = format!("Action=SetDesiredCapacity&AutoScalingGroupName={GROUP}&DesiredCapacity=2");
    let (status, text) = lab.ask(&form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let envelope =
        "<Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>";
    assert!(text.contains(envelope), "{text}");
    assert_eq!(lab.group().desired, 1);
    lab.done(&form).await;
    assert_eq!(
        lab.sim
            .state()
            .calls_of("autoscaling", "SetDesiredCapacity"),
        2
    );
    let unknown = Fault::new("autoscaling", "LaunchRockets", "Throttling");
    assert!(lab.sim.arm_fault(unknown).is_err());
    assert_eq!(lab.refused("Action=LaunchRockets").await.0, "InvalidAction");
}
