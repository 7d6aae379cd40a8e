//! Commands sent to machines, and what became of each on each machine.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sim::clock::after;

/// How much of a command's standard output Systems Manager keeps, in characters from the first.
pub(in crate::sim) const STDOUT_CHARS: usize = 24_000;
/// How much of its standard error.
pub(in crate::sim) const STDERR_CHARS: usize = 8_000;

/// Command id and instance id.
pub(in crate::sim) type InvocationKey = (String, String);

/// A command, as it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct Command {
    pub(in crate::sim) id: String,
    /// The how-manieth command ever.
    pub(in crate::sim) ordinal: u64,
    /// When it was sent: simulated, and as callers are told.
    pub(in crate::sim) sent_at: Timestamp,
    pub(super) requested: Timestamp,
    /// Simulated instant from which its invocations can be asked for.
    pub(super) exists_from: Timestamp,
    pub(super) comment: String,
    /// The lines, as the document's parameter `commands`.
    pub(in crate::sim) lines: Vec<String>,
    pub(in crate::sim) working_directory: Option<String>,
    pub(in crate::sim) execution_timeout: Duration,
    /// A machine that has not begun by then will not.
    pub(in crate::sim) delivery_timeout: Duration,
    /// By instance id.
    pub(in crate::sim) invocations: BTreeMap<String, Invocation>,
}

impl Command {
    /// The last instant at which a machine may begin.
    pub(in crate::sim) fn delivery_deadline(&self) -> Timestamp {
        after(self.sent_at, self.delivery_timeout)
    }

    /// When Systems Manager gives up on a machine it has not heard from: both timeouts together.
    pub(super) fn expires(&self) -> Timestamp {
        after(self.delivery_deadline(), self.execution_timeout)
    }
}

/// A command on one machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::sim) struct Invocation {
    /// When the agent will begin; `None`: it never does.
    pub(in crate::sim) pickup_at: Option<Timestamp>,
    /// It begins but does nothing, for ever.
    pub(in crate::sim) hangs: bool,
    /// It runs as a process: its start and end are recorded as they happen. Otherwise they follow from the plan.
    pub(in crate::sim) real: bool,
    /// When a real process began: simulated, and as callers are told.
    pub(in crate::sim) started: Option<(Timestamp, Timestamp)>,
    /// How it ended, or, of a planned one, how it will end unless something comes between.
    pub(in crate::sim) end: Option<End>,
    pub(in crate::sim) cancelled_at: Option<Timestamp>,
}

/// The end of a command on a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct End {
    /// Simulated, and as callers are told.
    pub(in crate::sim) at: Timestamp,
    pub(in crate::sim) wall: Timestamp,
    pub(in crate::sim) how: How,
    pub(in crate::sim) stdout: String,
    pub(in crate::sim) stderr: String,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sim) enum How {
    Exited(i32),
    /// The execution timeout passed.
    TimedOut,
    Cancelled,
    /// The machine went away under it.
    Lost,
}
