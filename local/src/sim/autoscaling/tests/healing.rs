//! What becomes of instances that end, stop or grow too old.

use super::{GROUP, Lab};

#[tokio::test]
async fn one_that_is_terminated_or_stopped_outside_is_replaced() {
    for action in ["TerminateInstances", "StopInstances"] {
        let lab = Lab::new(2).await;
        let id = lab.ids()[0].clone();
        lab.ec2(action, &id).await;
        lab.advance(30);
        assert!(lab.instance(&id).is_none(), "{action}");
        assert_eq!(lab.group().count("InService"), 2, "{action}");
        let machine = &lab.sim.state().machines[0];
        assert_eq!(machine.state, "terminated", "{action}");
    }
}

#[tokio::test]
async fn with_replacement_suspended_it_stays_as_unhealthy() {
    let lab = Lab::new(2).await;
    lab.suspend("ReplaceUnhealthy").await;
    let id = lab.ids()[0].clone();
    lab.ec2("StopInstances", &id).await;
    lab.advance(60);
    assert_eq!(lab.instance(&id).unwrap().health_status, "Unhealthy");
    lab.ec2("StartInstances", &id).await;
    lab.advance(60);
    let started = lab.instance(&id).unwrap();
    assert_eq!(started.health_status, "Unhealthy", "it never recovers");
    lab.ec2("TerminateInstances", &id).await;
    lab.advance(600);
    let ended = lab.instance(&id).unwrap();
    assert_eq!(ended.lifecycle_state, "InService");
    assert_eq!(lab.group().instances.len(), 2);
    lab.resume("ReplaceUnhealthy").await;
    lab.advance(20);
    assert!(lab.instance(&id).is_none());
    assert_eq!(lab.group().count("InService"), 2);
}

#[tokio::test]
async fn with_health_checks_suspended_nothing_is_noticed() {
    let lab = Lab::new(1).await;
    lab.suspend("HealthCheck").await;
    let id = lab.ids()[0].clone();
    lab.ec2("StopInstances", &id).await;
    lab.advance(600);
    assert_eq!(lab.instance(&id).unwrap().health_status, "Healthy");
    lab.resume("HealthCheck").await;
    assert_eq!(lab.instance(&id).unwrap().lifecycle_state, "Terminating");
}

#[tokio::test]
async fn an_unhealthy_one_is_terminated_on_request() {
    let lab = Lab::new(2).await;
    lab.suspend("ReplaceUnhealthy").await;
    let id = lab.ids()[0].clone();
    lab.ec2("TerminateInstances", &id).await;
    lab.advance(60);
    let form = format!(
        "Action=TerminateInstanceInAutoScalingGroup&InstanceId={id}&ShouldDecrementDesiredCapacity=true"
    );
    let text = lab.done(&form).await;
    assert!(
        text.contains("<StatusCode>Successful</StatusCode>"),
        "{text}"
    );
    assert!(lab.instance(&id).is_none());
    assert_eq!(lab.group().desired, 1);
}

#[tokio::test]
async fn one_that_is_too_old_is_replaced() {
    const DAY: u64 = 86_400;
    let lab = Lab::new(1).await;
    let id = lab.ids()[0].clone();
    let ask = |seconds: u64| {
        format!(
            "Action=UpdateAutoScalingGroup&AutoScalingGroupName={GROUP}&MaxInstanceLifetime={seconds}"
        )
    };
    assert_eq!(lab.refused(&ask(DAY - 1)).await.0, "ValidationError");
    lab.done(&ask(DAY)).await;
    lab.advance(DAY - 100);
    assert_eq!(lab.ids(), std::slice::from_ref(&id));
    lab.suspend("Terminate").await;
    lab.advance(3_600);
    assert_eq!(lab.ids(), std::slice::from_ref(&id));
    lab.resume("Terminate").await;
    lab.advance(60);
    assert_eq!(lab.group().count("InService"), 1);
    assert_ne!(lab.ids(), [id]);
    lab.advance(3 * DAY);
    assert_eq!(lab.group().count("InService"), 1);
}

#[tokio::test]
async fn one_that_is_interrupted_or_dies_by_itself_is_missed() {
    let lab = Lab::new(1).await;
    let id = lab.ids()[0].clone();
    let fault = crate::sim::Fault::new("machine", "command", "dies");
    lab.sim.arm_fault(fault).unwrap();
    let body = serde_json::json!({
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [id],
        "Parameters": {"commands": ["true"]},
    });
    let request = hyper::Request::post("/").header("x-amz-target", "AmazonSSM.SendCommand");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let answer = lab.sim.door().call(&head, &body.to_string().into()).await;
    assert_eq!(answer.unwrap().status(), hyper::StatusCode::OK);
    lab.advance(30);
    assert!(lab.instance(&id).is_none());
    assert_eq!(lab.group().count("InService"), 1);
}
