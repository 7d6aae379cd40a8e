//! Finding and killing a machine's processes, those that detached themselves included.
//!
//! On Linux they are known by the marker in their environment, which they inherit and cannot lose by leaving their
//! session. Elsewhere only the process groups of the machine's commands are known.

use std::collections::BTreeSet;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

#[cfg(target_os = "linux")]
use super::machine_dir::MARKER;

/// How often processes are looked for again: one that is just being started may be missed once.
#[cfg(target_os = "linux")]
const PASSES: usize = 50;

/// Kills all processes of the machines. Blocks for some milliseconds.
pub(in crate::sim) fn kill_machines(instance_ids: &BTreeSet<String>) {
    if instance_ids.is_empty() {
        return;
    }
    #[cfg(target_os = "linux")]
    kill_marked(|instance_id, _| instance_ids.contains(instance_id));
    #[cfg(not(target_os = "linux"))]
    groups::kill(instance_ids);
}

/// Kills the process group that a command of the machine leads. `reaped`: its leader has ended and was waited for, so
/// that the group's number may belong to somebody else by now.
pub(super) fn kill_group(instance_id: &str, group: Pid, reaped: bool) {
    if !reaped {
        // An error means that the group is gone.
        let _ = killpg(group, Signal::SIGKILL);
        return;
    }
    #[cfg(target_os = "linux")]
    kill_marked(|id, pid| id == instance_id && nix::unistd::getpgid(Some(pid)) == Ok(group));
    #[cfg(not(target_os = "linux"))]
    let _ = (
        instance_id,
        kill as fn(_, Option<Signal>) -> _,
        killpg(group, Signal::SIGKILL),
    );
}

/// Kills every marked process that `is_meant`, until none is found.
#[cfg(target_os = "linux")]
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel does not tell when a killed process is gone; this is bounded"
)]
fn kill_marked(is_meant: impl Fn(&str, Pid) -> bool) {
    for _ in 0..PASSES {
        let found: Vec<Pid> = marked()
            .into_iter()
            .filter(|(id, pid)| is_meant(id, *pid))
            .map(|(_, pid)| pid)
            .collect();
        if found.is_empty() {
            return;
        }
        for pid in found {
            // An error means that it is gone already.
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    tracing::warn!("processes of simulated machines are still there after being killed");
}

/// Instance id and process id of all marked processes. Those that ended have no environment any more.
#[cfg(target_os = "linux")]
fn marked() -> Vec<(String, Pid)> {
    let prefix = format!("{MARKER}=");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // Other users' processes cannot be read, and are none of ours.
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let value = environment
                .split(|b| *b == 0)
                .find_map(|variable| variable.strip_prefix(prefix.as_bytes()))?;
            Some((
                String::from_utf8_lossy(value).into_owned(),
                Pid::from_raw(pid),
            ))
        })
        .collect()
}
