//! The state file: JSON, written whole beside itself and renamed, so that it is never half a state.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::SimError;
use super::server::Shared;
use super::ssm::{End, How, InvocationKey};
use super::state::World;

/// The shape of the file; another number is refused.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Kept<W> {
    schema: u32,
    /// Simulated time of the writing: the clock goes on from here.
    now: Timestamp,
    world: W,
}

/// A state file that belongs to this simulator alone.
#[derive(Debug)]
pub(super) struct Saver {
    /// The change that was written last, for a glance without waiting for a writer.
    saved: Arc<AtomicU64>,
    file: Arc<Mutex<StateFile>>,
}

/// The file, in the hands of whoever writes it.
#[derive(Debug)]
struct StateFile {
    path: PathBuf,
    /// Held until the simulator ends; another one cannot have it. `None`: it has ended, and nothing is written any more.
    lock: Option<File>,
    /// The change that was written last: an older state never follows a newer one.
    written: u64,
}

impl Saver {
    /// Takes the file for this simulator and reads what it holds, if it is there.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<(World, Timestamp)>), SimError> {
        let failed = |source| SimError::StateFile {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let lock = File::create(beside(path, "lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(SimError::StateInUse(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let kept = match fs::read(path) {
            Ok(bytes) => Some(parse(&bytes, path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        // Nothing has been changed yet: the first change is number 1.
        let file = StateFile {
            path: path.to_owned(),
            lock: Some(lock),
            written: 0,
        };
        let saver = Self {
            saved: Arc::default(),
            file: Arc::new(Mutex::new(file)),
        };
        Ok((saver, kept))
    }

    /// Writes the state if it has changed since it was written last. A failure is told in the log: the simulator goes on.
    ///
    /// A caller that goes away leaves the writing to its own: it is whole, and in order.
    pub(super) async fn save(&self, shared: &Shared) {
        let (change, text) = {
            let state = shared.lock();
            if state.world.changes == self.saved.load(Ordering::Acquire) {
                return;
            }
            let kept = Kept {
                schema: SCHEMA,
                now: shared.config.clock.now(),
                world: &state.world,
            };
            (state.world.changes, serde_json::to_vec(&kept))
        };
        let saved = Arc::clone(&self.saved);
        self.with_file(move |file| {
            file.write(change, &text?)?;
            saved.store(file.written, Ordering::Release);
            Ok(())
        })
        .await;
    }

    /// Gives the file up, after whoever is writing it.
    pub(super) async fn close(&self) {
        self.with_file(|file| {
            file.lock = None;
            Ok(())
        })
        .await;
    }

    async fn with_file(&self, act: impl FnOnce(&mut StateFile) -> io::Result<()> + Send + 'static) {
        let file = Arc::clone(&self.file);
        let acted = tokio::task::spawn_blocking(move || {
            act(&mut file.lock().unwrap_or_else(PoisonError::into_inner))
        });
        if let Err(error) = acted.await.map_err(io::Error::other).flatten() {
            tracing::error!(%error, "the simulator's state was not saved");
        }
    }
}

impl StateFile {
    fn write(&mut self, change: u64, bytes: &[u8]) -> io::Result<()> {
        if self.lock.is_none() || change <= self.written {
            return Ok(());
        }
        let draft = beside(&self.path, "new");
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        // The name must not be there before the content.
        file.sync_data()?;
        fs::rename(draft, &self.path)?;
        self.written = change;
        Ok(())
    }
}

fn parse(bytes: &[u8], path: &Path) -> Result<(World, Timestamp), SimError> {
    let failed = |source| SimError::StateContent {
        path: path.to_owned(),
        source,
    };
    let kept: Kept<World> = serde_json::from_slice(bytes).map_err(failed)?;
    if kept.schema == SCHEMA {
        Ok((kept.world, kept.now))
    } else {
        Err(failed(serde::de::Error::custom(format!(
            "schema {} instead of {SCHEMA}",
            kept.schema
        ))))
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Puts a world that was read right: what ran when its simulator ended is over. Answers the commands still to begin.
pub(super) fn revive(world: &mut World, now: Timestamp, wall: Timestamp) -> Vec<InvocationKey> {
    const CUT_OFF: &str =
        "the simulator was restarted while the command ran\nfailed to run commands: exit status 1";
    let mut to_begin = Vec::new();
    for command in world.commands.values_mut() {
        for (instance_id, invocation) in &mut command.invocations {
            if !invocation.real || invocation.end.is_some() {
                continue;
            }
            if invocation.started.is_some() {
                let (stdout, stderr) = (String::new(), CUT_OFF.to_owned());
                invocation.end = Some(End {
                    at: now,
                    wall,
                    how: How::Exited(1),
                    stdout,
                    stderr,
                });
            } else {
                to_begin.push((command.id.clone(), instance_id.clone()));
            }
        }
    }
    world.touch();
    to_begin
}
