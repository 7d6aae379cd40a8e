//! A command's progress as its runner and the state tell each other: begun, must stop, ended.

use std::time::Duration;

use jiff::Timestamp;

use super::exec::Ended;
use super::server::Shared;
use super::ssm::{End, Invocation, InvocationKey};

/// What a command's runner needs.
pub(super) struct Begun {
    pub(super) hangs: bool,
    pub(super) lines: Vec<String>,
    pub(super) working_directory: Option<String>,
    pub(super) execution_timeout: Duration,
    /// Since when the machine has been running.
    pub(super) running_since: Timestamp,
}

/// Why a command must stop.
pub(super) enum Stop {
    Cancelled,
    MachineEnded,
    Closing,
}

impl Shared {
    /// Changes what is recorded of a command on a machine.
    pub(super) fn change(&self, key: &InvocationKey, change: impl FnOnce(&mut Invocation)) {
        let mut state = self.lock();
        let command = state.world.commands.get_mut(&key.0);
        if let Some(invocation) = command.and_then(|command| command.invocations.get_mut(&key.1)) {
            change(invocation);
            state.world.touch();
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// When the agent will begin; `None`: it never will.
    pub(super) fn pickup_at(&self, key: &InvocationKey) -> Option<Timestamp> {
        self.lock()
            .world
            .commands
            .get(&key.0)?
            .invocations
            .get(&key.1)?
            .pickup_at
    }

    /// Begins a command, if it is still wanted, not too late, and the machine is there.
    pub(super) fn begin(&self, key: &InvocationKey) -> Option<Begun> {
        let (now, wall) = (self.config.clock.now(), self.config.clock.wall());
        let mut state = self.lock();
        let world = &mut state.world;
        let (command, instance) = (
            world.commands.get_mut(&key.0)?,
            world.instances.get_mut(&key.1)?,
        );
        let in_time = now <= command.delivery_deadline();
        let invocation = command.invocations.get_mut(&key.1)?;
        let wanted = invocation.started.is_none() && invocation.cancelled_at.is_none();
        let running_since = instance.running_since(now)?;
        if !wanted || !in_time || *self.closing.borrow() {
            return None;
        }
        invocation.started = Some((now, wall));
        let hangs = invocation.hangs;
        instance.processes_since = Some(running_since);
        instance.has_files = true;
        world.touch();
        let command = state.world.commands.get(&key.0)?;
        Some(Begun {
            hangs,
            lines: command.lines.clone(),
            working_directory: command.working_directory.clone(),
            execution_timeout: command.execution_timeout,
            running_since,
        })
    }

    /// Notes that the machine has processes now. The housekeeper may have looked for them between the beginning and
    /// the start of the process.
    pub(super) fn has_processes(&self, instance_id: &str, begun: &Begun) {
        if let Some(instance) = self.lock().world.instances.get_mut(instance_id) {
            instance.processes_since = Some(begun.running_since);
        }
    }

    /// Records how a command ended.
    pub(super) fn end(&self, key: &InvocationKey, ended: Ended) {
        let Ended {
            how,
            stdout,
            stderr,
        } = ended;
        let (at, wall) = (self.config.clock.now(), self.config.clock.wall());
        self.change(key, |invocation| {
            invocation.end = Some(End {
                at,
                wall,
                how,
                stdout,
                stderr,
            });
        });
    }

    /// Whether the machine has run since the command began.
    pub(super) fn still_runs(&self, instance_id: &str, begun: &Begun) -> bool {
        let now = self.config.clock.now();
        let state = self.lock();
        let instance = state.world.instances.get(instance_id);
        instance.is_some_and(|instance| instance.has_run_since(begun.running_since, now))
    }

    /// Waits until the command must not begin, or once it has `begun`, must stop.
    pub(super) async fn stopped(&self, key: &InvocationKey, begun: Option<&Begun>) -> Stop {
        let mut changed = self.changed.subscribe();
        loop {
            if *self.closing.borrow() {
                return Stop::Closing;
            }
            if self.is_cancelled(key) {
                return Stop::Cancelled;
            }
            if begun.is_some_and(|begun| !self.still_runs(&key.1, begun)) {
                return Stop::MachineEnded;
            }
            // The senders live in `self`, so that waiting for them cannot fail here.
            tokio::select! {
                _ = changed.changed() => {}
                () = self.closed() => {}
            }
        }
    }

    fn is_cancelled(&self, key: &InvocationKey) -> bool {
        let state = self.lock();
        let invocation = state
            .world
            .commands
            .get(&key.0)
            .and_then(|command| command.invocations.get(&key.1));
        invocation.is_none_or(|invocation| invocation.cancelled_at.is_some())
    }
}
