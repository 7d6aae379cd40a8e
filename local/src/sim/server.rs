//! The simulator's heart: state behind its mutex, the actions done on it, and what follows from them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::ApiError;
use super::autoscaling::{self, ScalingAction};
use super::clock::after;
use super::cloudwatch::{self, CloudWatchAction};
use super::config::SimConfig;
use super::ec2::{self, Ec2Action, Params};
use super::exec::{self, Executor, ScriptedCommand, head, told_stderr};
use super::handle::note_panic;
use super::persist::Saver;
use super::ssm::{self, End, How, InvocationKey, STDERR_CHARS, STDOUT_CHARS, SsmAction};
use super::state::{Call, State};

/// Shared by connections, runners of commands, and the housekeeper.
pub(super) struct Shared {
    pub(super) config: SimConfig,
    state: Mutex<State>,
    /// Told after each change, and after each round of the housekeeper.
    pub(super) changed: watch::Sender<()>,
    pub(super) closing: watch::Sender<bool>,
    runners: Mutex<JoinSet<()>>,
    saver: Option<Saver>,
    /// One round of the housekeeper at a time.
    pub(super) house: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(config: SimConfig, state: State, saver: Option<Saver>) -> Self {
        Self {
            config,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            closing: watch::Sender::new(false),
            runners: Mutex::new(JoinSet::new()),
            saver,
            house: tokio::sync::Mutex::new(()),
        }
    }

    /// The state. Never held across an await: the guard cannot be sent to another thread.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an EC2 action, and sees to what follows from it.
    pub(super) async fn ec2(
        self: &Arc<Self>,
        action: &Ec2Action,
        params: &Params,
    ) -> Result<ec2::Xml, ApiError> {
        self.perform(|call| ec2::perform(action, call, params))
            .await
    }

    /// Does a Systems Manager action, and sees to what follows from it.
    pub(super) async fn ssm(
        self: &Arc<Self>,
        action: &SsmAction,
        body: &Value,
    ) -> Result<Value, ApiError> {
        self.perform(|call| {
            let result = ssm::perform(action, call, body);
            // A command may be the end of its machine, which then is missed in its group.
            let named = body["InstanceIds"].as_array().into_iter().flatten();
            for id in named.filter_map(Value::as_str) {
                autoscaling::disturbed(call.world, id);
            }
            result
        })
        .await
    }

    /// Does an Auto Scaling action, and sees to what follows from it.
    pub(super) async fn autoscaling(
        self: &Arc<Self>,
        action: &ScalingAction,
        params: &Params,
    ) -> Result<ec2::Xml, ApiError> {
        self.perform(|call| autoscaling::perform(action, call, params))
            .await
    }

    /// Does a CloudWatch action.
    pub(super) async fn cloudwatch(
        self: &Arc<Self>,
        action: &CloudWatchAction,
        body: &Value,
    ) -> Result<Vec<u8>, ApiError> {
        self.perform(|call| cloudwatch::perform(action, call, body))
            .await
    }

    async fn perform<T>(
        self: &Arc<Self>,
        action: impl FnOnce(&mut Call<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let (result, changed, to_execute) = {
            let mut state = self.lock();
            let before = state.world.changes;
            let result = self.within(&mut state, |call| {
                autoscaling::settle(call);
                action(call)
            });
            let world = &mut state.world;
            (
                result,
                world.changes != before,
                std::mem::take(&mut world.to_execute),
            )
        };
        self.execute(to_execute);
        if changed {
            self.changed.send_replace(());
            self.save().await;
        }
        result
    }

    /// Lets `act` work on the state at this instant.
    fn within<T>(&self, state: &mut State, act: impl FnOnce(&mut Call<'_>) -> T) -> T {
        let State {
            world,
            faults,
            limits,
            images,
            ..
        } = state;
        let (now, wall) = (self.config.clock.now(), self.config.clock.wall());
        act(&mut Call {
            world,
            faults,
            limits,
            images,
            config: &self.config,
            now,
            wall,
        })
    }

    /// The state, in which Auto Scaling has done everything that is due by now.
    pub(super) fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        self.within(&mut state, autoscaling::settle);
        state
    }

    /// Lets the executor have commands that were sent.
    pub(super) fn execute(self: &Arc<Self>, keys: Vec<InvocationKey>) {
        for key in keys {
            match &self.config.executor {
                Executor::Real { machines_dir } => {
                    let mut runners = self.runners.lock().unwrap_or_else(PoisonError::into_inner);
                    // Forget those that are done.
                    while let Some(ended) = runners.try_join_next() {
                        note_panic(ended);
                    }
                    if !*self.closing.borrow() {
                        runners.spawn(exec::run(Arc::clone(self), machines_dir.clone(), key));
                    }
                }
                Executor::Scripted(script) => self.plan(script, &key),
            }
        }
    }

    fn plan(&self, script: &exec::Script, key: &InvocationKey) {
        let command = {
            let state = self.lock();
            let Some(command) = state.world.commands.get(&key.0) else {
                return;
            };
            let planned = command
                .invocations
                .get(&key.1)
                .filter(|i| !i.hangs)
                .and_then(|i| i.pickup_at);
            planned.map(|at| (at, ScriptedCommand::new(command, &key.1)))
        };
        let Some((pickup_at, command)) = command else {
            return;
        };
        let outcome = script(&command);
        let at = after(pickup_at, outcome.duration);
        self.change(key, |invocation| {
            invocation.end = Some(End {
                at,
                wall: at,
                how: How::Exited(outcome.exit_code),
                stdout: head(&outcome.stdout, STDOUT_CHARS),
                stderr: head(
                    &told_stderr(&outcome.stderr, outcome.exit_code),
                    STDERR_CHARS,
                ),
            });
        });
    }

    /// Writes the state, if it is kept and has changed since it was written last.
    pub(super) async fn save(&self) {
        if let Some(saver) = &self.saver {
            saver.save(self).await;
        }
    }

    /// Writes the state a last time and gives its file up.
    pub(super) async fn finish(&self) {
        self.save().await;
        if let Some(saver) = &self.saver {
            saver.close().await;
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes whoever waits for a change.
    pub(super) fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Waits until the simulator closes; at once, if it is closing already.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives in `self`, so that this cannot fail.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Begins the end: commands stop, and none begins any more.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// The runners of commands, to be waited for.
    pub(super) fn take_runners(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.runners.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
