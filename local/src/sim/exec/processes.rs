//! Finding and killing a machine's processes, those that detached themselves included.
//!
//! On Linux they are known by the marker in their environment, which they inherit and cannot lose by leaving their
//! session. Some servers write their title over their environment, so that what descends from a marked process, or is in
//! a session that one leads, counts too. Elsewhere only the process groups of the machine's commands are known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::machine_dir::MARKER;

/// How often processes are looked for again: one that is just being started may be missed once.
const PASSES: usize = 50;

/// Process groups of commands, by instance.
static GROUPS: Mutex<BTreeMap<String, BTreeSet<Pid>>> = Mutex::new(BTreeMap::new());

/// Notes the process group of a command that has been started.
pub(super) fn note_group(instance_id: &str, group: Pid) {
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = groups.entry(instance_id.to_owned()).or_default();
    // A number is not given to another group as long as this one exists.
    known.retain(|group| killpg(*group, None).is_ok());
    known.insert(group);
}

/// Kills all processes of the machines. Blocks for some milliseconds.
pub(in crate::sim) fn kill_machines(instance_ids: &BTreeSet<String>) {
    if instance_ids.is_empty() {
        return;
    }
    let noted: Vec<Pid> = {
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        instance_ids
            .iter()
            .filter_map(|id| groups.remove(id))
            .flatten()
            .collect()
    };
    if cfg!(target_os = "linux") {
        kill_all(|table| table.of_machines(instance_ids));
    } else {
        for group in noted {
            // An error means that the group is gone.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Kills the process group that a command of the machine leads. `reaped`: its leader has ended and was waited for, so
/// that the group's number may belong to somebody else by now.
pub(super) fn kill_group(instance_id: &str, group: Pid, reaped: bool) {
    if reaped && cfg!(target_os = "linux") {
        let machine = BTreeSet::from([instance_id.to_owned()]);
        kill_all(|table| {
            let in_group = |pid: &i32| {
                table
                    .processes
                    .get(pid)
                    .is_some_and(|p| p.group == group.as_raw())
            };
            table
                .of_machines(&machine)
                .into_iter()
                .filter(in_group)
                .collect()
        });
    } else {
        // An error means that the group is gone.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// Kills the processes that `choose` finds in the table, until it finds none.
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel does not tell when a killed process is gone; this is bounded"
)]
fn kill_all(choose: impl Fn(&Table) -> Vec<i32>) {
    for _ in 0..PASSES {
        let found = choose(&Table::read());
        if found.is_empty() {
            return;
        }
        for pid in found {
            // An error means that it is gone already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    tracing::warn!("processes of simulated machines are still there after being killed");
}

/// The processes of this computer that may be read, as `/proc` shows them.
#[derive(Debug, Default)]
struct Table {
    processes: BTreeMap<i32, Process>,
}

#[derive(Debug)]
struct Process {
    parent: i32,
    group: i32,
    session: i32,
    /// The instance named in its environment.
    marked: Option<String>,
}

impl Table {
    fn read() -> Self {
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Self::default();
        };
        let processes = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // Other users' environments cannot be read, and are none of ours.
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            Some((pid, parse(&stat, &environment)?))
        });
        Self {
            processes: processes.collect(),
        }
    }

    /// The processes of these machines that have not ended.
    fn of_machines(&self, instance_ids: &BTreeSet<String>) -> Vec<i32> {
        let is_marked = |process: &Process| {
            process
                .marked
                .as_ref()
                .is_some_and(|id| instance_ids.contains(id))
        };
        let mut found: BTreeSet<i32> = self
            .processes
            .iter()
            .filter(|(_, process)| is_marked(process))
            .map(|(pid, _)| *pid)
            .collect();
        loop {
            let before = found.len();
            let more = self
                .processes
                .iter()
                .filter(|(_, p)| found.contains(&p.parent) || found.contains(&p.session));
            found = more
                .map(|(pid, _)| *pid)
                .chain(found.iter().copied())
                .collect();
            if found.len() == before {
                return found.into_iter().collect();
            }
        }
    }
}

/// A process from its `/proc/<pid>/stat` and `environ`; `None` for one that has ended and waits for its parent to notice.
fn parse(stat: &str, environment: &[u8]) -> Option<Process> {
    // The second field is the program's name in parentheses, which may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    let prefix = format!("{MARKER}=");
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(prefix.as_bytes()));
    Some(Process {
        parent,
        group,
        session,
        marked: value.map(|id| String::from_utf8_lossy(id).into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parent, group, session, mark.
    fn table(processes: &[(i32, i32, i32, i32, &str)]) -> Table {
        let process = |&(pid, parent, group, session, mark): &(i32, i32, i32, i32, &str)| {
            let marked = (!mark.is_empty()).then(|| mark.to_owned());
            (
                pid,
                Process {
                    parent,
                    group,
                    session,
                    marked,
                },
            )
        };
        Table {
            processes: processes.iter().map(process).collect(),
        }
    }

    #[test]
    fn a_machine_has_what_is_marked_what_descends_from_it_and_the_sessions_it_leads() {
        let table = table(&[
            (1, 0, 1, 1, ""),
            // The simulator's own session, and a command in it.
            (10, 1, 10, 10, ""),
            (20, 10, 20, 10, "i-1"),
            // A detached server that wrote over its environment, its worker, and one whose parent has ended.
            (30, 1, 30, 30, "i-1"),
            (31, 30, 30, 30, ""),
            (32, 31, 32, 30, ""),
            (33, 1, 33, 30, ""),
            // Another machine.
            (40, 1, 40, 40, "i-2"),
        ]);
        assert_eq!(
            table.of_machines(&BTreeSet::from(["i-1".into()])),
            [20, 30, 31, 32, 33]
        );
        let unknown = BTreeSet::from(["i-3".into()]);
        assert!(table.of_machines(&unknown).is_empty());
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let process = parse(
            "42 (a) b (c) S 7 8 9 0 -1",
            b"A=1\0HAULOUT_SIM_INSTANCE=i-1\0B=2\0",
        );
        assert!(process.is_some_and(
            |p| (p.parent, p.group, p.session, p.marked.as_deref()) == (7, 8, 9, Some("i-1"))
        ));
        assert!(parse("42 (a) Z 7 8 9", b"").is_none());
        assert!(
            parse("42 (a) S 7 8 9", b"XHAULOUT_SIM_INSTANCE=i-1")
                .is_some_and(|p| p.marked.is_none())
        );
    }
}
