//! The state file: what a restart keeps, and what it refuses.

use std::fs;
use std::path::Path;

use haulout_local::sim::{Clock, Executor, Sim, SimConfig, SimError};

use super::{Lab, code, machines_dir, outcome, processes, real_executor};

fn kept(directory: &Path) -> SimConfig {
    let executor = Executor::scripted(|_| outcome(8, 0, "done", ""));
    SimConfig {
        state_file: Some(directory.join("state/sim.json")),
        ..SimConfig::new(Clock::manual(), executor)
    }
}

#[tokio::test]
async fn a_restart_keeps_machines_commands_tokens_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::with(kept(directory.path())).await;
    let id = lab.online("t").await;
    let stopped = lab.online("u").await;
    lab.ec2
        .stop_instances()
        .instance_ids(&stopped)
        .send()
        .await
        .unwrap();
    let command = lab.send(&id, &["ok"]).await;
    lab.advance(100);
    lab.launch("last change").await;
    lab.make_group("kept").await;
    let told = lab.sim.events_due(lab.sim.clock().now());
    assert!(!told.is_empty());
    let before = serde_json::to_value(lab.sim.state()).unwrap();
    lab.sim.shutdown().await;

    let lab = Lab::with(kept(directory.path())).await;
    let after = serde_json::to_value(lab.sim.state()).unwrap();
    for part in [
        "now",
        "launched",
        "machines",
        "commands",
        "volumes",
        "security_groups",
    ] {
        assert_eq!(after[part], before[part], "{part}");
    }
    let again = lab.sim.events_due(lab.sim.clock().now());
    assert_eq!(again, [], "an event is told once, restart or not");
    assert_eq!(lab.launch("t").await, id);
    assert_eq!(
        (
            lab.state(&id).await.as_str(),
            lab.state(&stopped).await.as_str()
        ),
        ("running", "stopped")
    );
    let ended = lab.invocation(&id, &command).await;
    assert_eq!(
        (ended.status.as_str(), ended.stdout.as_str()),
        ("Success", "done")
    );
    lab.advance(8);
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn a_change_is_on_disk_before_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::with(kept(directory.path())).await;
    let file = directory.path().join("state/sim.json");
    let id = lab.launch("t").await;
    assert!(fs::read_to_string(&file).unwrap().contains(&id));
    let before = fs::read(&file).unwrap();
    lab.ec2.describe_instances().send().await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), before);
    lab.terminate(&id).await;
    assert!(fs::read_to_string(&file).unwrap().contains("shutting-down"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_once_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::with(kept(directory.path())).await;
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let call = lab
                .ec2
                .run_instances()
                .launch_template(super::seeded())
                .client_token(format!("t{n}"));
            tokio::spawn(call.min_count(1).max_count(1).send())
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    lab.sim.shutdown().await;
    let lab = Lab::with(kept(directory.path())).await;
    assert_eq!(lab.sim.state().machines.len(), 20);
}

#[tokio::test]
async fn a_command_that_ran_when_its_simulator_ended_has_failed() {
    let directory = tempfile::tempdir().unwrap();
    let config = || SimConfig {
        executor: real_executor(directory.path()),
        ..kept(directory.path())
    };
    let lab = Lab::with(config()).await;
    let id = lab.online("t").await;
    let running = lab
        .send(&id, &["echo $$ > \"$HOME/pid\"", "sleep 1000"])
        .await;
    processes::appears(&machines_dir(directory.path()).join(&id).join("root/pid")).await;
    let waiting = lab.send_unpicked(&id, &["echo at last"], 60).await;
    lab.sim.shutdown().await;

    let lab = Lab::with(config()).await;
    let cut_off = lab.invocation(&id, &running).await;
    assert_eq!((cut_off.status.as_str(), cut_off.code), ("Failed", 1));
    assert!(cut_off.stderr.contains("restarted"), "{cut_off:?}");
    // One that had not begun is picked up as if nothing had happened.
    assert_eq!(lab.invocation(&id, &waiting).await.status, "Pending");
    lab.advance(1);
    assert_eq!(lab.ended(&id, &waiting).await.stdout, "at last\n");
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn two_simulators_do_not_share_a_state_file() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::with(kept(directory.path())).await;
    let second = Sim::start(kept(directory.path())).await;
    assert!(matches!(second, Err(SimError::StateInUse(_))), "{second:?}");
    lab.sim.shutdown().await;
    Sim::start(kept(directory.path())).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_a_state_is_refused_not_overwritten() {
    for text in [
        "",
        "{}",
        "{\"schema\":99,\"now\":\"2026-01-01T00:00:00Z\",\"world\":{}}",
        "not json",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/sim.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        let started = Sim::start(kept(directory.path())).await;
        assert!(
            matches!(started, Err(SimError::StateContent { .. })),
            "{text}: {started:?}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let fast = SimConfig::new(
        Clock::real(0.0),
        Executor::scripted(|_| outcome(0, 0, "", "")),
    );
    assert!(matches!(Sim::start(fast).await, Err(SimError::Speed(_))));
    let lab = Lab::new(|_| {}).await;
    let port = lab.sim.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let taken = Sim::start(SimConfig {
        port,
        ..kept(tempfile::tempdir().unwrap().path())
    })
    .await;
    assert!(matches!(&taken, Err(SimError::Bind { .. })), "{taken:?}");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("machines"), "a file").unwrap();
    let blocked = SimConfig {
        executor: real_executor(directory.path()),
        ..kept(directory.path())
    };
    assert!(matches!(
        Sim::start(blocked).await,
        Err(SimError::MachinesDir { .. })
    ));
}

#[tokio::test]
async fn without_a_state_file_nothing_is_remembered() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    lab.sim.shutdown().await;
    let lab = Lab::new(|_| {}).await;
    assert_eq!(
        code(lab.ec2.describe_instances().instance_ids(id).send().await),
        "InvalidInstanceID.NotFound"
    );
}
