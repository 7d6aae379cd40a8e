//! Running a command as the Systems Manager agent does.
//!
//! The text is a script run by `sh`, or by the interpreter its first line names. It leads its own process group; a
//! timeout or a cancellation kills that group. As with the agent, a command has ended when it has exited *and* everyone
//! who holds its output has closed it: what stays behind in the background must redirect its output.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use nix::unistd::Pid;
use tokio::process::{Child, Command as Process};

use super::capture::Capture;
use super::machine_dir::MachineDir;
use super::processes::{kill_group, note_group};
use super::{head, told_stderr};
use crate::sim::config::REGION;
use crate::sim::progress::{Begun, Stop};
use crate::sim::server::Shared;
use crate::sim::ssm::{How, InvocationKey, STDERR_CHARS, STDOUT_CHARS};

/// What is recorded of a command that has ended.
#[derive(Debug)]
pub(in crate::sim) struct Ended {
    pub(in crate::sim) how: How,
    pub(in crate::sim) stdout: String,
    pub(in crate::sim) stderr: String,
}

/// Runs an invocation from its pick-up to its end, and records both.
pub(in crate::sim) async fn run(shared: Arc<Shared>, machines_dir: PathBuf, key: InvocationKey) {
    let Some(pickup_at) = shared.pickup_at(&key) else {
        return;
    };
    tokio::select! {
        () = shared.config.clock.reached(pickup_at) => {}
        _ = shared.stopped(&key, None) => {}
    }
    // Whatever happened meanwhile, this decides.
    let Some(begun) = shared.begin(&key) else {
        return;
    };
    shared.save().await;
    let ended = if begun.hangs {
        let stopped = wait_to_be_stopped(&shared, &key, &begun).await;
        stopped.map(|how| Ended {
            how,
            stdout: String::new(),
            stderr: String::new(),
        })
    } else {
        let dir = MachineDir::new(&machines_dir, &key.1);
        match start(&dir, &key, &begun).await {
            Ok(running) => {
                shared.has_processes(&key.1, &begun);
                running.watch(&shared, &key, &begun).await
            }
            Err(error) => {
                tracing::warn!(command = key.0, instance = key.1, %error, "a command could not be started");
                let stderr = told_stderr(&format!("the command could not be started: {error}"), 1);
                Some(Ended {
                    how: How::Exited(1),
                    stdout: String::new(),
                    stderr,
                })
            }
        }
    };
    if let Some(ended) = ended {
        shared.end(&key, ended);
        shared.save().await;
    }
}

/// Waits for the timeout, a cancellation, or the machine's end; `None`: for the simulator's.
async fn wait_to_be_stopped(shared: &Shared, key: &InvocationKey, begun: &Begun) -> Option<How> {
    tokio::select! {
        stop = shared.stopped(key, Some(begun)) => match stop {
            Stop::Cancelled => Some(How::Cancelled),
            Stop::MachineEnded => Some(How::Lost),
            Stop::Closing => None,
        },
        // Real time, on any clock: what runs is real.
        () = tokio::time::sleep(begun.execution_timeout) => Some(How::TimedOut),
    }
}

/// A command's process and its output.
struct Running {
    child: Child,
    group: Pid,
    stdout: Capture,
    stderr: Capture,
}

async fn start(dir: &MachineDir, key: &InvocationKey, begun: &Begun) -> io::Result<Running> {
    let (dir, (command_id, _), lines) = (dir.clone(), key.clone(), begun.lines.clone());
    let asked_for = begun.working_directory.clone();
    let environment = dir.environment(REGION);
    let prepared = tokio::task::spawn_blocking(move || {
        dir.prepare()?;
        let script = dir.write_script(&command_id, &lines)?;
        io::Result::Ok((script, dir.working_directory(asked_for.as_deref())?))
    });
    let (directory, working_directory) = prepared.await.map_err(io::Error::other)??;
    let (program, arguments) = interpreter(begun.lines.first().map_or("", String::as_str));
    let mut child = Process::new(program)
        .args(arguments)
        .arg(directory.join("_script.sh"))
        .env_clear()
        .envs(environment)
        .current_dir(working_directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (Some(pid), Some(stdout), Some(stderr)) =
        (child.id(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the process has no output to read"));
    };
    let group = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    note_group(&key.1, group);
    Ok(Running {
        group,
        stdout: Capture::start(stdout, &directory.join("stdout")),
        stderr: Capture::start(stderr, &directory.join("stderr")),
        child,
    })
}

/// The program that runs a script, and its argument before the script's name. A script is never executed by itself: it
/// was written a moment ago, and a process started meanwhile may still hold it open.
fn interpreter(first_line: &str) -> (&str, Option<&str>) {
    let named = first_line
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("#!"))
        .map(str::trim);
    match named.filter(|named| !named.is_empty()) {
        None => ("sh", None),
        Some(named) => match named.split_once(char::is_whitespace) {
            Some((program, argument)) => (program, Some(argument.trim())),
            None => (named, None),
        },
    }
}

impl Running {
    /// Waits for the end, whichever it is; `None`: the simulator's, which is nothing the agent would report.
    async fn watch(mut self, shared: &Shared, key: &InvocationKey, begun: &Begun) -> Option<Ended> {
        let exits = async {
            let status = self.child.wait().await;
            self.stdout.ended().await;
            self.stderr.ended().await;
            status
        };
        let outcome = tokio::select! {
            status = exits => Ok(status),
            stopped = wait_to_be_stopped(shared, key, begun) => Err(stopped),
        };
        let how = match outcome {
            Ok(_) if !shared.still_runs(&key.1, begun) => How::Lost,
            Ok(Ok(status)) => How::Exited(exit_code(status)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a command's end cannot be told");
                How::Exited(1)
            }
            Err(stopped) => {
                self.kill(&key.1).await;
                stopped?
            }
        };
        let code = if let How::Exited(code) = how { code } else { 0 };
        Some(Ended {
            how,
            stdout: head(&self.stdout.finish(), STDOUT_CHARS),
            stderr: head(&told_stderr(&self.stderr.finish(), code), STDERR_CHARS),
        })
    }

    async fn kill(&mut self, instance_id: &str) {
        let (instance_id, group, reaped) = (
            instance_id.to_owned(),
            self.group,
            self.child.id().is_none(),
        );
        let killed =
            tokio::task::spawn_blocking(move || kill_group(&instance_id, group, reaped)).await;
        if let Err(error) = killed {
            tracing::warn!(%error, "a command's processes were not all killed");
        }
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "a command's process was not waited for");
        }
    }
}

/// The exit code; for a death by signal what a shell would say.
fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::interpreter;

    #[test]
    fn the_first_line_may_name_an_interpreter() {
        assert_eq!(interpreter("echo hello"), ("sh", None));
        assert_eq!(interpreter("#!/bin/bash"), ("/bin/bash", None));
        assert_eq!(
            interpreter("#! /usr/bin/env python3 \nprint()"),
            ("/usr/bin/env", Some("python3"))
        );
        assert_eq!(interpreter("#!"), ("sh", None));
        assert_eq!(interpreter(""), ("sh", None));
    }
}
