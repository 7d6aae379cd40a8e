//! What happens to the commands sent to machines: they really run, or follow a script.

mod capture;
mod machine_dir;
mod processes;
mod run;

pub(super) use machine_dir::{MachineDir, prepare_machines_dir};
pub(super) use processes::kill_machines;
pub(super) use run::{Ended, run};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ssm::Command;

/// Says what becomes of a command. It may look at the simulator's state: nothing is locked while it runs.
pub type Script = Arc<dyn Fn(&ScriptedCommand) -> ScriptedOutcome + Send + Sync>;

/// What happens to the commands sent to machines.
#[derive(Clone)]
pub enum Executor {
    /// They run on this computer, as this user, each machine in its own directory below `machines_dir`.
    Real {
        /// Where the machines' directories are.
        machines_dir: PathBuf,
    },
    /// They end as the script says, on the simulator's clock; nothing runs.
    Scripted(Script),
}

impl Executor {
    /// An executor that follows `script`.
    pub fn scripted(
        script: impl Fn(&ScriptedCommand) -> ScriptedOutcome + Send + Sync + 'static,
    ) -> Self {
        Self::Scripted(Arc::new(script))
    }

    /// An executor whose commands all succeed after `duration`, saying `output`.
    pub fn succeeding(duration: Duration, output: &str) -> Self {
        let outcome = ScriptedOutcome {
            duration,
            stdout: output.into(),
            ..ScriptedOutcome::default()
        };
        Self::scripted(move |_| outcome.clone())
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real { machines_dir } => f
                .debug_struct("Real")
                .field("machines_dir", machines_dir)
                .finish(),
            Self::Scripted(_) => f.write_str("Scripted"),
        }
    }
}

/// A command, as a script sees it.
#[derive(Clone, Debug)]
pub struct ScriptedCommand {
    /// The command's id.
    pub command_id: String,
    /// The machine it was sent to.
    pub instance_id: String,
    /// Its lines, joined.
    pub text: String,
    /// The working directory asked for.
    pub working_directory: Option<String>,
    /// After how long it is stopped.
    pub execution_timeout: Duration,
    /// The how-manieth command ever, from 1.
    pub ordinal: u64,
}

impl ScriptedCommand {
    pub(super) fn new(command: &Command, instance_id: &str) -> Self {
        Self {
            command_id: command.id.clone(),
            instance_id: instance_id.into(),
            text: command.lines.join("\n"),
            working_directory: command.working_directory.clone(),
            execution_timeout: command.execution_timeout,
            ordinal: command.ordinal,
        }
    }
}

/// What becomes of a scripted command, unless a timeout, a cancellation or the machine's end comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptedOutcome {
    /// How long it runs, in simulated time.
    pub duration: Duration,
    /// Its exit code.
    pub exit_code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A command's standard error as Systems Manager shows it: a failure is told at its end.
pub(super) fn told_stderr(stderr: &str, exit_code: i32) -> String {
    if exit_code == 0 {
        return stderr.to_owned();
    }
    let gap = if stderr.is_empty() || stderr.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{stderr}{gap}failed to run commands: exit status {exit_code}")
}

/// The first `limit` characters.
pub(super) fn head(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
