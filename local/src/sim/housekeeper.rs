//! What happens to machines by the clock alone: processes end with the machine that ran them, files with its memory,
//! and Auto Scaling launches and replaces them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::autoscaling;
use super::clock::after;
use super::exec::{Executor, MachineDir, kill_machines};
use super::server::Shared;

/// How often machines are looked at when nothing else gives cause to; real time.
const ROUND: Duration = Duration::from_millis(200);

/// Machines that need something done.
#[derive(Debug, Default)]
struct Chores {
    /// No longer running: kill their processes, and empty their temporary files.
    ended: BTreeSet<String>,
    /// No longer visible: remove their files.
    gone: BTreeSet<String>,
}

/// Looks after machines until the simulator closes.
pub(super) async fn keep_house(shared: Arc<Shared>) {
    let (mut changes, mut jumps) = (shared.changes(), shared.config.clock.jumps());
    loop {
        round(&shared).await;
        let scaling = autoscaling::next(&shared.lock().world);
        // The senders live as long as `shared`, so that waiting for them cannot fail here.
        tokio::select! {
            () = shared.closed() => return,
            _ = changes.changed() => {}
            _ = jumps.changed() => {}
            () = shared.config.clock.reached(scaling.unwrap_or(Timestamp::MAX)) => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Does what is due now.
pub(super) async fn round(shared: &Shared) {
    // What one round clears, another must not be removing.
    let _alone = shared.house.lock().await;
    let (chores, changed) = due(shared);
    let nothing = chores.ended.is_empty() && chores.gone.is_empty();
    if nothing && !changed {
        // Whoever looked meanwhile may have let groups do what was due, and does not write it down.
        shared.save().await;
        return;
    }
    if let Executor::Real { machines_dir } = &shared.config.executor
        && !nothing
    {
        let machines_dir = machines_dir.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || clean(&machines_dir, &chores)).await
        {
            tracing::warn!(%error, "machines that ended were not cleaned up");
        }
    }
    shared.announce();
    shared.save().await;
}

/// Takes down what is due, and answers whether anything else changed. The marks are taken away first: a command that
/// begins meanwhile sets them again.
fn due(shared: &Shared) -> (Chores, bool) {
    let now = shared.config.clock.now();
    let mut chores = Chores::default();
    let settled = {
        let before = shared.lock().world.changes;
        shared.settled().world.changes != before
    };
    let mut state = shared.lock();
    for instance in state.world.instances.values_mut() {
        let ended = |since| !instance.has_run_since(since, now);
        if instance.processes_since.is_some_and(ended) {
            instance.processes_since = None;
            chores.ended.insert(instance.id.clone());
        }
        let gone = instance
            .terminated_at(now)
            .is_some_and(|at| after(at, shared.config.terminated_visible) <= now);
        if gone && instance.has_files && instance.processes_since.is_none() {
            instance.has_files = false;
            chores.gone.insert(instance.id.clone());
        }
    }
    if !chores.ended.is_empty() || !chores.gone.is_empty() {
        state.world.touch();
    }
    let forgot = state.world.forget(now);
    (chores, settled || forgot)
}

fn clean(machines_dir: &Path, chores: &Chores) {
    kill_machines(&chores.ended);
    for id in &chores.ended {
        if let Err(error) = MachineDir::new(machines_dir, id).clear_tmp() {
            tracing::warn!(instance = id, %error, "a machine's temporary files were not removed");
        }
    }
    for id in &chores.gone {
        if let Err(error) = remove(machines_dir, id) {
            tracing::warn!(instance = id, %error, "a machine's directory was not removed");
        }
    }
}

/// Removes a machine's directory. What its processes wrote while they were being killed may come in between.
fn remove(machines_dir: &Path, instance_id: &str) -> std::io::Result<()> {
    const ATTEMPTS: usize = 3;
    let dir = MachineDir::new(machines_dir, instance_id);
    let attempts = (1..ATTEMPTS).map(|_| dir.remove());
    attempts
        .into_iter()
        .find(Result::is_ok)
        .unwrap_or_else(|| dir.remove())
}
