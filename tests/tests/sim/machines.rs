//! Commands that really run: their environment, output, end, timeouts and cancellation.

use std::fs;

use super::{Lab, eventually, machines_dir};

#[tokio::test]
async fn a_command_really_runs_in_its_machines_directory() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let script = [
        "set -e",
        "echo staged > \"$HAULOUT_STAGE_DIR/blob\"",
        "echo tmp > \"$HAULOUT_TMP/x\"",
        "cd && pwd",
        "echo \"$HAULOUT_SIM_INSTANCE $AWS_SSM_INSTANCE_ID\"",
        "echo trouble >&2",
    ];
    let command = lab.send(&id, &script).await;
    let ended = lab.ended(&id, &command).await;
    let machine = fs::canonicalize(machines_dir(directory.path()).join(&id)).unwrap();
    assert_eq!(
        (ended.status.as_str(), ended.code),
        ("Success", 0),
        "{ended:?}"
    );
    assert_eq!(
        ended.stdout,
        format!("{}\n{id} {id}\n", machine.join("root").display())
    );
    assert_eq!(ended.stderr, "trouble\n");
    assert_eq!(
        fs::read_to_string(machine.join("var/lib/haulout/blob")).unwrap(),
        "staged\n"
    );
    assert_eq!(fs::read_to_string(machine.join("tmp/x")).unwrap(), "tmp\n");
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn nothing_of_the_simulators_environment_reaches_a_machine() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let command = lab
        .send(&id, &["env | cut -d= -f1 | sort | tr '\\n' ' '"])
        .await;
    let ended = lab.ended(&id, &command).await;
    let allowed = [
        "AWS_SSM_INSTANCE_ID",
        "AWS_SSM_REGION_NAME",
        "HAULOUT_SIM_INSTANCE",
        "HAULOUT_STAGE_DIR",
        "HAULOUT_TMP",
        "HOME",
        "LANG",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHLVL",
        "TMPDIR",
        "_",
    ];
    for name in ended.stdout.split_whitespace() {
        assert!(allowed.contains(&name), "{name} reached the machine");
    }
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn package_managers_are_only_noted() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let script = [
        "dnf install -y python3.11 && apt-get update && apt install -y 'a b'",
        "echo $?",
    ];
    let command = lab.send(&id, &script).await;
    assert_eq!(lab.ended(&id, &command).await.stdout, "0\n");
    let log = machines_dir(directory.path())
        .join(&id)
        .join("packages.log");
    assert_eq!(
        fs::read_to_string(log).unwrap(),
        "dnf install -y python3.11\napt-get update\napt install -y a b\n"
    );
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn the_exit_code_and_the_interpreter_are_the_scripts() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let run = async |lines: &[&str]| {
        let command = lab.send(&id, lines).await;
        lab.ended(&id, &command).await
    };
    let failed = run(&["echo before", "exit 7"]).await;
    assert_eq!(
        (failed.status.as_str(), failed.code, failed.stdout.as_str()),
        ("Failed", 7, "before\n")
    );
    assert_eq!(failed.stderr, "failed to run commands: exit status 7");
    let bash = run(&["#!/usr/bin/env bash", "a=(one two)", "echo ${a[1]}"]).await;
    assert_eq!(bash.stdout, "two\n");
    let missing = run(&["#!/no/such/interpreter", "echo"]).await;
    assert_eq!((missing.status.as_str(), missing.code), ("Failed", 1));
    let killed = run(&["kill -9 $$"]).await;
    assert_eq!((killed.status.as_str(), killed.code), ("Failed", 137));
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn a_working_directory_is_on_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let run = async |path: &str| {
        let call = lab
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(&id);
        let call = call.parameters("commands", vec!["pwd -P".into()]);
        let sent = call
            .parameters("workingDirectory", vec![path.into()])
            .send()
            .await
            .unwrap();
        lab.advance(1);
        lab.ended(&id, sent.command().unwrap().command_id().unwrap())
            .await
    };
    let machine = fs::canonicalize(machines_dir(directory.path()))
        .unwrap()
        .join(&id);
    assert_eq!(
        run("/tmp/model").await.stdout,
        format!("{}\n", machine.join("tmp/model").display())
    );
    let outside = run("../../..").await;
    assert_eq!(outside.status, "Failed");
    assert!(outside.stderr.contains("leaves the machine"), "{outside:?}");
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn a_timeout_kills_the_command_and_what_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let command = lab
        .send_unpicked(
            &id,
            &["echo begun", "sleep 1000 & echo $! > \"$HOME/pid\"", "wait"],
            1,
        )
        .await;
    lab.advance(1);
    let ended = lab.ended(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.details.as_str(), ended.code),
        ("TimedOut", "ExecutionTimedOut", 137)
    );
    assert_eq!(ended.stdout, "begun\n");
    let pid = super::processes::pid_in(&machines_dir(directory.path()).join(&id).join("root/pid"));
    eventually("its child's end", async || {
        (!super::processes::lives(pid)).then_some(())
    })
    .await;
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn a_cancelled_command_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let command = lab
        .send(&id, &["echo $$ > \"$HOME/pid\"", "sleep 1000"])
        .await;
    let pid =
        super::processes::appears(&machines_dir(directory.path()).join(&id).join("root/pid")).await;
    lab.ssm
        .cancel_command()
        .command_id(&command)
        .send()
        .await
        .unwrap();
    let ended = lab.ended(&id, &command).await;
    assert_eq!((ended.status.as_str(), ended.code), ("Cancelled", 137));
    assert!(!super::processes::lives(pid));
    let waiting = lab.send_unpicked(&id, &["touch \"$HOME/never\""], 60).await;
    lab.ssm
        .cancel_command()
        .command_id(&waiting)
        .send()
        .await
        .unwrap();
    lab.advance(60);
    assert_eq!(lab.invocation(&id, &waiting).await.status, "Cancelled");
    lab.sim.shutdown().await;
    assert!(
        !machines_dir(directory.path())
            .join(&id)
            .join("root/never")
            .exists()
    );
}

#[tokio::test]
async fn as_with_the_agent_a_command_lasts_while_its_output_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    // The shell exits at once; what it left behind keeps writing to the command's output until it may end.
    let held =
        "(while [ ! -e \"$HOME/go\" ]; do sleep 0.1; done; echo late) & echo $! > \"$HOME/pid\"";
    let command = lab.send(&id, &[held]).await;
    let home = machines_dir(directory.path()).join(&id).join("root");
    super::processes::appears(&home.join("pid")).await;
    assert_eq!(lab.invocation(&id, &command).await.status, "InProgress");
    fs::write(home.join("go"), "").unwrap();
    let ended = lab.ended(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.stdout.as_str()),
        ("Success", "late\n")
    );
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn a_flood_of_output_is_read_but_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let command = lab
        .send(&id, &["head -c 20000000 /dev/zero | tr '\\0' x"])
        .await;
    let ended = lab.ended(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.stdout.len()),
        ("Success", 24_000)
    );
    let kept = machines_dir(directory.path())
        .join(&id)
        .join("var/lib/amazon/ssm")
        .join(&command)
        .join("stdout");
    assert_eq!(fs::metadata(kept).unwrap().len(), 8 * 1_024 * 1_024);
    lab.sim.shutdown().await;
}
