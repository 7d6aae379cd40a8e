//! TerminateInstanceInAutoScalingGroup.

use super::Lab;

fn ask(id: &str, decrement: bool) -> String {
    format!(
        "Action=TerminateInstanceInAutoScalingGroup&InstanceId={id}&ShouldDecrementDesiredCapacity={decrement}"
    )
}

#[tokio::test]
async fn with_a_decrement_the_group_shrinks_by_one_however_often_it_is_asked() {
    let lab = Lab::new(3).await;
    let id = lab.ids()[1].clone();
    lab.protect(&id, true).await;
    let text = lab.done(&ask(&id, true)).await;
    assert!(
        text.contains(&format!("Terminating EC2 instance: {id}")),
        "{text}"
    );
    assert!(
        text.contains("shrinking the capacity from 3 to 2."),
        "{text}"
    );
    let group = lab.group();
    assert_eq!((group.desired, group.count("Terminating")), (2, 1));
    let again = lab.done(&ask(&id, true)).await;
    assert_eq!(
        super::between(&again, "ActivityId"),
        super::between(&text, "ActivityId")
    );
    assert_eq!(lab.group().desired, 2);
    lab.advance(10);
    assert_eq!(lab.group().instances.len(), 2);
    let (code, message) = lab.refused(&ask(&id, true)).await;
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        format!("Instance Id not found - No managed instance found for instance ID: {id}")
    );
    lab.advance(600);
    assert_eq!(lab.group().instances.len(), 2);
}

#[tokio::test]
async fn without_a_decrement_it_is_replaced() {
    let lab = Lab::new(2).await;
    let id = lab.ids()[0].clone();
    lab.done(&ask(&id, false)).await;
    lab.advance(14);
    let group = lab.group();
    assert_eq!((group.desired, group.count("InService")), (2, 2));
    assert!(lab.instance(&id).is_none());
}

#[tokio::test]
async fn at_the_minimum_there_is_no_decrement() {
    let lab = Lab::new(1).await;
    let id = lab.ids()[0].clone();
    let (code, message) = lab.refused(&ask(&id, true)).await;
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "Currently, desiredSize equals minSize (1). Terminating instance without replacement will violate group's min \
         size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
    );
    assert_eq!(lab.group().count("InService"), 1);
    let (_, message) = lab
        .refused(&format!(
            "Action=TerminateInstanceInAutoScalingGroup&InstanceId={id}"
        ))
        .await;
    assert!(
        message.contains("'shouldDecrementDesiredCapacity'"),
        "{message}"
    );
}

#[tokio::test]
async fn one_that_is_pending_is_terminated_too() {
    let lab = Lab::new(1).await;
    lab.set_desired(2).await;
    lab.advance(3);
    let id = lab.ids()[1].clone();
    lab.done(&ask(&id, true)).await;
    lab.advance(60);
    assert_eq!(lab.group().count("InService"), 1);
    let text = lab.done("Action=DescribeScalingActivities").await;
    assert!(
        text.contains("<StatusCode>Cancelled</StatusCode>"),
        "{text}"
    );
}
