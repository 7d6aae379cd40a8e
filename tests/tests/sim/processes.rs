//! Processes that machines leave behind: they outlive their command, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use haulout_local::sim::{Clock, Sim, SimConfig};

use super::{Lab, eventually, machines_dir, real_executor};

/// A model's server as a staging script starts it: detached, in its own session, its output elsewhere.
const DETACH: &str = "setsid nohup sh -c 'echo $$ > \"$HOME/pid\"; sleep 1000 & wait' > \"$HOME/log\" 2>&1 < /dev/null &";

/// Whether the process runs; a zombie does not.
pub(super) fn lives(pid: u32) -> bool {
    let answer = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(answer.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

pub(super) fn pid_in(file: &Path) -> u32 {
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

/// Waits until a process has written its number.
pub(super) async fn appears(file: &Path) -> u32 {
    eventually("a process's number", async || {
        fs::read_to_string(file).ok()?.trim().parse().ok()
    })
    .await
}

/// All processes that carry the machine's mark.
#[cfg(target_os = "linux")]
fn of(instance_id: &str) -> Vec<String> {
    let mark = format!("HAULOUT_SIM_INSTANCE={instance_id}");
    let entries = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()));
    entries
        .filter(|path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment
                .split(|b| *b == 0)
                .any(|variable| variable == mark.as_bytes())
        })
        .map(|path| path.display().to_string())
        .collect()
}

/// A machine with a detached server; its number and the machine's directory.
async fn serving(lab: &Lab, directory: &Path) -> (String, u32) {
    let id = lab.online("t").await;
    let command = lab.send(&id, &[DETACH]).await;
    assert_eq!(lab.ended(&id, &command).await.status, "Success");
    let pid = appears(&machines_dir(directory).join(&id).join("root/pid")).await;
    assert!(lives(pid));
    (id, pid)
}

#[tokio::test]
async fn a_detached_process_outlives_its_command_and_dies_with_its_machines_stop() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let (id, pid) = serving(&lab, directory.path()).await;
    let tmp = machines_dir(directory.path()).join(&id).join("tmp");
    fs::write(tmp.join("leftover"), "").unwrap();
    // Another command's end changes nothing.
    let other = lab.send(&id, &["true"]).await;
    lab.ended(&id, &other).await;
    assert!(lives(pid));
    lab.ec2
        .stop_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    eventually("the process's end", async || (!lives(pid)).then_some(())).await;
    // Temporary files are in memory on Amazon Linux 2023.
    eventually("empty temporary files", async || {
        (!tmp.join("leftover").exists()).then_some(())
    })
    .await;
    assert!(
        machines_dir(directory.path())
            .join(&id)
            .join("root/log")
            .exists()
    );
    #[cfg(target_os = "linux")]
    assert_eq!(of(&id), Vec::<String>::new());
    // It comes back without it, and can run commands again.
    lab.advance(15);
    lab.ec2
        .start_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    lab.advance(25);
    let again = lab.send(&id, &["echo back"]).await;
    assert_eq!(lab.ended(&id, &again).await.stdout, "back\n");
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn termination_kills_and_the_directory_goes_when_the_instance_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let (id, pid) = serving(&lab, directory.path()).await;
    let running = lab.send(&id, &["sleep 1000"]).await;
    lab.terminate(&id).await;
    eventually("the process's end", async || (!lives(pid)).then_some(())).await;
    // Nobody is left to report.
    assert_eq!(lab.invocation(&id, &running).await.status, "InProgress");
    let machine = machines_dir(directory.path()).join(&id);
    lab.advance(10 + 3_599);
    lab.sim.settle().await;
    assert!(machine.exists());
    lab.advance(1);
    lab.sim.settle().await;
    eventually("the directory's end", async || {
        (!machine.exists()).then_some(())
    })
    .await;
    lab.advance(60);
    assert_eq!(
        lab.invocation(&id, &running).await.details,
        "DeliveryTimedOut"
    );
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn other_machines_processes_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let (_, pid) = serving(&lab, directory.path()).await;
    let other = lab.online("other").await;
    let command = lab.send(&other, &[DETACH]).await;
    lab.ended(&other, &command).await;
    let doomed = appears(&machines_dir(directory.path()).join(&other).join("root/pid")).await;
    lab.terminate(&other).await;
    eventually("the process's end", async || (!lives(doomed)).then_some(())).await;
    assert!(lives(pid));
    lab.sim.shutdown().await;
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_process_that_wiped_its_environment_is_found_by_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let id = lab.online("t").await;
    let wiped =
        "setsid sh -c 'env -i sleep 1000 & echo $! > \"$HOME/pid\"; wait' > /dev/null 2>&1 &";
    lab.send(&id, &[wiped]).await;
    let pid = appears(&machines_dir(directory.path()).join(&id).join("root/pid")).await;
    lab.terminate(&id).await;
    eventually("the process's end", async || (!lives(pid)).then_some(())).await;
    lab.sim.shutdown().await;
}

#[tokio::test]
async fn shutdown_leaves_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let (id, pid) = serving(&lab, directory.path()).await;
    lab.send(&id, &["echo $$ > \"$HOME/second\"", "sleep 1000"])
        .await;
    let second = appears(&machines_dir(directory.path()).join(&id).join("root/second")).await;
    lab.sim.shutdown().await;
    assert!(!lives(pid) && !lives(second));
    #[cfg(target_os = "linux")]
    assert_eq!(of(&id), Vec::<String>::new());
}

#[tokio::test]
async fn dropping_a_simulator_leaves_no_process_either() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::real(directory.path()).await;
    let (_, pid) = serving(&lab, directory.path()).await;
    drop(lab);
    eventually("the process's end", async || (!lives(pid)).then_some(())).await;
}

#[tokio::test]
async fn a_simulator_cleans_up_after_one_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let config = |state: &str| SimConfig {
        state_file: Some(directory.path().join(state)),
        ..SimConfig::new(Clock::manual(), real_executor(directory.path()))
    };
    let lab = Lab::with(config("sim.json")).await;
    let (id, pid) = serving(&lab, directory.path()).await;
    // What a killed simulator leaves: its state file, and the processes.
    fs::copy(
        directory.path().join("sim.json"),
        directory.path().join("left.json"),
    )
    .unwrap();
    let next = Sim::start(config("left.json")).await.unwrap();
    assert!(!lives(pid));
    assert_eq!(next.state().machines[0].instance_id, id);
    next.shutdown().await;
    lab.sim.shutdown().await;
}
