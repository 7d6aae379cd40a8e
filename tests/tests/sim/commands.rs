//! Commands that follow a script, on virtual time: statuses, timeouts, cancellation, lag, lists.

use std::time::Duration;

use aws_sdk_ssm::operation::send_command::builders::SendCommandFluentBuilder as Send;
use haulout_local::sim::{Executor, Fault};

use super::{Lab, code, outcome};

/// A lab whose commands run eight seconds and end as their text says.
pub(super) async fn lab() -> Lab {
    Lab::new(|config| {
        config.executor = Executor::scripted(|command| match command.text.as_str() {
            "fail" => outcome(8, 3, "so far\n", "no good\n"),
            "long" => outcome(8, 0, &"é".repeat(30_000), &"x".repeat(9_000)),
            "slow" => outcome(100_000, 0, "", ""),
            _ => outcome(8, 0, "done\n", ""),
        });
    })
    .await
}

#[tokio::test]
async fn a_command_goes_from_pending_to_its_end() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let command = lab.send_unpicked(&id, &["ok"], 60).await;
    let status = async || lab.invocation(&id, &command).await;
    assert_eq!(
        (status().await.status.as_str(), status().await.code),
        ("Pending", -1)
    );
    lab.advance(1);
    let running = status().await;
    assert_eq!(
        (
            running.status.as_str(),
            running.code,
            running.stdout.as_str()
        ),
        ("InProgress", -1, "")
    );
    lab.advance(8);
    let ended = status().await;
    assert_eq!(
        (ended.status.as_str(), ended.details.as_str(), ended.code),
        ("Success", "Success", 0)
    );
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("done\n", "")
    );
}

#[tokio::test]
async fn a_failure_says_so_at_the_end_of_its_errors() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let command = lab.send(&id, &["fail"]).await;
    lab.advance(8);
    let ended = lab.invocation(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.code, ended.stdout.as_str()),
        ("Failed", 3, "so far\n")
    );
    assert_eq!(
        ended.stderr,
        "no good\nfailed to run commands: exit status 3"
    );
}

#[tokio::test]
async fn output_is_cut_at_its_first_characters() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let command = lab.send(&id, &["long"]).await;
    lab.advance(8);
    let ended = lab.invocation(&id, &command).await;
    assert_eq!(
        (ended.stdout.chars().count(), ended.stderr.chars().count()),
        (24_000, 8_000)
    );
}

#[tokio::test]
async fn an_invocation_does_not_exist_at_once() {
    let lab = Lab::new(|config| config.invocation_lag = Duration::from_millis(1_500)).await;
    let id = lab.online("t").await;
    let command = lab.send(&id, &["ok"]).await;
    let get = |command: &str, id: &str| {
        lab.ssm
            .get_command_invocation()
            .command_id(command)
            .instance_id(id)
            .send()
    };
    assert_eq!(code(get(&command, &id).await), "InvocationDoesNotExist");
    assert!(
        lab.ssm
            .list_commands()
            .send()
            .await
            .unwrap()
            .commands()
            .is_empty()
    );
    lab.advance(1);
    get(&command, &id).await.unwrap();
    let other = lab.launch("u").await;
    assert_eq!(code(get(&command, &other).await), "InvocationDoesNotExist");
    assert_eq!(
        code(get("9e3b8a5e-0000-4000-8000-000000000000", &id).await),
        "InvocationDoesNotExist"
    );
    assert_eq!(code(get("short", &id).await), "ValidationException");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_stopped() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let command = lab.send(&id, &["slow"]).await;
    lab.advance(59);
    assert_eq!(lab.invocation(&id, &command).await.status, "InProgress");
    lab.advance(1);
    let ended = lab.invocation(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.details.as_str(), ended.code),
        ("TimedOut", "ExecutionTimedOut", 137)
    );
}

#[tokio::test]
async fn an_agent_that_never_takes_a_command_lets_it_expire() {
    let lab = lab().await;
    let id = lab.online("t").await;
    lab.sim
        .arm_fault(Fault::new("machine", "command", "never"))
        .unwrap();
    let sent = lab
        .ssm
        .send_command()
        .document_name("AWS-RunShellScript")
        .instance_ids(&id)
        .timeout_seconds(30);
    let sent = sent
        .parameters("commands", vec!["ok".into()])
        .parameters("executionTimeout", vec!["60".into()]);
    let command = sent
        .send()
        .await
        .unwrap()
        .command()
        .unwrap()
        .command_id()
        .unwrap()
        .to_owned();
    // Systems Manager waits for both timeouts together.
    lab.advance(89);
    assert_eq!(lab.invocation(&id, &command).await.status, "Pending");
    lab.advance(1);
    let ended = lab.invocation(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.details.as_str(), ended.code),
        ("TimedOut", "DeliveryTimedOut", -1)
    );
}

#[tokio::test]
async fn commands_are_slow_hang_or_kill_their_machine_when_told_to() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let arm = |fault: Fault| lab.sim.arm_fault(fault).unwrap();
    arm(Fault::new("machine", "command", "slow").delay(Duration::from_secs(20)));
    let slow = lab.send(&id, &["ok"]).await;
    arm(Fault::new("machine", "command", "hang").matching(&id));
    let hung = lab.send(&id, &["ok"]).await;
    lab.advance(15);
    assert_eq!(lab.invocation(&id, &slow).await.status, "Pending");
    assert_eq!(lab.invocation(&id, &hung).await.status, "InProgress");
    lab.advance(45);
    assert_eq!(lab.invocation(&id, &slow).await.status, "Success");
    assert_eq!(
        lab.invocation(&id, &hung).await.details,
        "ExecutionTimedOut"
    );
    arm(Fault::new("machine", "command", "dies"));
    let deadly = lab.send(&id, &["ok"]).await;
    lab.advance(20);
    assert_eq!(lab.state(&id).await, "terminated");
    // Nobody is left to say how it went.
    assert_eq!(lab.invocation(&id, &deadly).await.status, "InProgress");
    lab.advance(3_660);
    assert_eq!(
        lab.invocation(&id, &deadly).await.details,
        "DeliveryTimedOut"
    );
}

#[tokio::test]
async fn cancelling_stops_what_has_not_ended() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let cancel = async |command: &str| {
        lab.ssm
            .cancel_command()
            .command_id(command)
            .instance_ids(&id)
            .send()
            .await
    };
    let waiting = lab.send_unpicked(&id, &["ok"], 60).await;
    cancel(&waiting).await.unwrap();
    assert_eq!(lab.invocation(&id, &waiting).await.status, "Cancelled");
    let running = lab.send(&id, &["ok"]).await;
    cancel(&running).await.unwrap();
    assert_eq!(lab.invocation(&id, &running).await.status, "Cancelling");
    lab.advance(1);
    assert_eq!(
        (lab.invocation(&id, &running).await.status.as_str()),
        "Cancelled"
    );
    let ended = lab.send(&id, &["ok"]).await;
    lab.advance(8);
    cancel(&ended).await.unwrap();
    assert_eq!(lab.invocation(&id, &ended).await.status, "Success");
    assert_eq!(
        code(cancel("9e3b8a5e-0000-4000-8000-000000000000").await),
        "InvalidCommandId"
    );
    let other = lab.online("u").await;
    let elsewhere = lab
        .ssm
        .cancel_command()
        .command_id(&ended)
        .instance_ids(other)
        .send()
        .await;
    assert_eq!(code(elsewhere), "InvalidInstanceId");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let lab = lab().await;
    let id = lab.online("t").await;
    let fresh = lab.launch("u").await;
    let good = || {
        let call = lab
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(&id);
        call.parameters("commands", vec!["ok".into()])
    };
    let check = async |change: &dyn Fn(Send) -> Send, expected: &str| {
        assert_eq!(code(change(good()).send().await), expected);
    };
    check(
        &|c| c.set_instance_ids(Some(vec![fresh.clone()])),
        "InvalidInstanceId",
    )
    .await;
    check(
        &|c| c.instance_ids("i-0123456789abcdef0"),
        "InvalidInstanceId",
    )
    .await;
    check(&|c| c.instance_ids("nonsense"), "ValidationException").await;
    check(&|c| c.instance_ids(&id), "DuplicateInstanceId").await;
    check(
        &|c| c.document_name("AWS-RunPowerShellScript"),
        "InvalidDocument",
    )
    .await;
    check(&|c| c.parameters("commands", vec![]), "InvalidParameters").await;
    check(
        &|c| c.parameters("executionTimeout", vec!["0".into()]),
        "InvalidParameters",
    )
    .await;
    check(
        &|c| c.parameters("executionTimeout", vec!["soon".into()]),
        "InvalidParameters",
    )
    .await;
    check(
        &|c| c.parameters("colour", vec!["red".into()]),
        "InvalidParameters",
    )
    .await;
    check(&|c| c.timeout_seconds(29), "ValidationException").await;
    check(&|c| c.comment("x".repeat(101)), "ValidationException").await;
    check(
        &|c| c.output_s3_bucket_name("bucket"),
        "ValidationException",
    )
    .await;
    lab.ec2
        .stop_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(code(good().send().await), "InvalidInstanceId");
    assert!(lab.sim.state().commands.is_empty());
}
