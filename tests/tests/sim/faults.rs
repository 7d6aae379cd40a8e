//! Faults: errors before and after the effect, lost answers, hangs, delays, and what they are matched by.

use std::time::Duration;

use aws_sdk_ec2::config::retry::RetryConfig;
use haulout_local::sim::{Fault, Match};

use super::{Lab, ec2, refusal, seeded};

#[tokio::test]
async fn errors_come_with_awss_status() {
    let lab = Lab::new(|_| {}).await;
    for (error, status) in [
        ("RequestLimitExceeded", 503),
        ("InternalError", 500),
        ("UnauthorizedOperation", 403),
        ("VcpuLimitExceeded", 400),
    ] {
        lab.sim
            .arm_fault(Fault::new("ec2", "DescribeInstances", error))
            .unwrap();
        assert_eq!(
            refusal(lab.ec2.describe_instances().send().await),
            (error.to_owned(), status)
        );
    }
    for (error, status) in [
        ("ThrottlingException", 400),
        ("InternalServerError", 500),
        ("AccessDeniedException", 400),
    ] {
        lab.sim
            .arm_fault(Fault::new("ssm", "ListCommands", error))
            .unwrap();
        assert_eq!(
            refusal(lab.ssm.list_commands().send().await),
            (error.to_owned(), status)
        );
    }
    let odd = Fault {
        http_status: Some(418),
        ..Fault::new("ec2", "*", "Teapot")
    };
    lab.sim.arm_fault(odd).unwrap();
    assert_eq!(
        refusal(lab.ec2.describe_images().send().await),
        ("Teapot".into(), 418)
    );
    assert!(lab.sim.faults().is_empty());
    lab.ec2.describe_instances().send().await.unwrap();
}

#[tokio::test]
async fn an_effect_happens_before_its_error_or_not_at_all() {
    let lab = Lab::new(|_| {}).await;
    let launch = || {
        lab.ec2
            .run_instances()
            .launch_template(seeded())
            .min_count(1)
            .max_count(1)
            .send()
    };
    lab.sim
        .arm_fault(Fault::new("ec2", "RunInstances", "InternalError"))
        .unwrap();
    assert_eq!(refusal(launch().await).0, "InternalError");
    assert_eq!(lab.sim.state().launched, 0);
    lab.sim
        .arm_fault(Fault::new("ec2", "RunInstances", "InternalError").after_effect())
        .unwrap();
    assert_eq!(refusal(launch().await).0, "InternalError");
    assert_eq!(lab.sim.state().launched, 1);
    lab.sim
        .arm_fault(Fault::new("ec2", "RunInstances", "lost_response"))
        .unwrap();
    assert!(launch().await.unwrap_err().raw_response().is_none());
    assert_eq!(lab.sim.state().launched, 1);
}

#[tokio::test]
async fn the_sdks_retries_are_counted_and_outlasted() {
    let lab = Lab::new(|_| {}).await;
    let retrying = ec2(&lab.sim.url(), RetryConfig::standard().with_max_attempts(3));
    lab.sim
        .arm_fault(Fault::new("ec2", "DescribeInstances", "RequestLimitExceeded").times(2))
        .unwrap();
    retrying.describe_instances().send().await.unwrap();
    assert_eq!(lab.sim.state().calls_of("ec2", "DescribeInstances"), 3);
    lab.sim
        .arm_fault(Fault::new("ec2", "DescribeInstances", "RequestLimitExceeded").times(3))
        .unwrap();
    assert_eq!(
        refusal(retrying.describe_instances().send().await).0,
        "RequestLimitExceeded"
    );
    assert_eq!(lab.sim.state().calls_of("ec2", "DescribeInstances"), 6);
}

#[tokio::test]
async fn a_hang_is_silent_until_the_caller_gives_up() {
    let lab = Lab::new(|_| {}).await;
    lab.sim
        .arm_fault(Fault::new("ec2", "DescribeInstances", "hang").delay(Duration::from_mins(10)))
        .unwrap();
    let call = tokio::spawn(lab.ec2.describe_instances().send());
    super::eventually("the call to arrive", async || {
        (lab.sim.state().calls_of("ec2", "DescribeInstances") == 1).then_some(())
    })
    .await;
    assert!(!call.is_finished());
    // Ending the simulator ends what hangs in it.
    lab.sim.shutdown().await;
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn a_fault_strikes_what_it_matches() {
    let lab = Lab::new(|_| {}).await;
    lab.sim
        .arm_fault(
            Fault::new("ec2", "RunInstances", "InternalError")
                .matching("ClientToken=b")
                .times(9),
        )
        .unwrap();
    lab.launch("a").await;
    let b = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .client_token("b")
        .min_count(1)
        .max_count(1);
    assert_eq!(refusal(b.send().await).0, "InternalError");
    lab.sim.clear_faults();
    let id = lab.online("c").await;
    let fields = serde_json::json!({ "InstanceIds": [id] })
        .as_object()
        .unwrap()
        .clone();
    let fault = Fault {
        matching: Some(Match::Fields(fields)),
        ..Fault::new("ssm", "SendCommand", "InternalServerError")
    };
    lab.sim.arm_fault(fault).unwrap();
    let send = |id: &str| {
        let call = lab
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(id);
        call.parameters("commands", vec!["true".into()]).send()
    };
    let other = lab.sim.state().machines[0].instance_id.clone();
    send(&other).await.unwrap();
    assert_eq!(refusal(send(&id).await).0, "InternalServerError");
    send(&id).await.unwrap();
}

#[tokio::test]
async fn a_slow_answer_is_the_right_answer() {
    let lab = Lab::new(|_| {}).await;
    let slow = Fault {
        error: None,
        delay_ms: Some(50),
        ..Fault::new("ec2", "DescribeSubnets", "")
    };
    lab.sim.arm_fault(slow).unwrap();
    assert_eq!(
        lab.ec2
            .describe_subnets()
            .send()
            .await
            .unwrap()
            .subnets()
            .len(),
        3
    );
    assert!(lab.sim.faults().is_empty());
}

#[tokio::test]
async fn a_fault_that_could_never_strike_is_not_armed() {
    let lab = Lab::new(|_| {}).await;
    assert_eq!(
        lab.sim
            .arm_fault(Fault::new("ec2", "LaunchInstances", "X"))
            .unwrap_err()
            .field,
        "action"
    );
    assert_eq!(
        lab.sim
            .arm_fault(Fault::new("ec2", "RunInstances", "X").times(0))
            .unwrap_err()
            .field,
        "times"
    );
    assert_eq!(
        lab.sim
            .arm_fault(Fault::new("machine", "boot", "hang"))
            .unwrap_err()
            .field,
        "error"
    );
}
