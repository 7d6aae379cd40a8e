//! The state directory: what is where, the lock that keeps two stacks apart, and how it is emptied.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::StackError;

const LOCK: &str = "lock";
const EMULATOR_LOCK: &str = "emulator.lock";
/// What the stack tells other programs about itself.
const LOCAL_JSON: &str = "local.json";
const PORTS: &str = "ports.json";
const ARTIFACTS: &str = "artifacts.json";
const SIM_STATE: &str = "sim.json";
/// The simulator holds it beside its state.
const SIM_LOCK: &str = "sim.json.lock";
const FOLDERS: [&str; 6] = ["emulator", "logs", "machines", "objects", "tmp", "walrus"];
const FILES: [&str; 7] = [
    ARTIFACTS,
    EMULATOR_LOCK,
    LOCAL_JSON,
    PORTS,
    SIM_LOCK,
    SIM_STATE,
    LOCK,
];

/// A state directory that this stack alone uses, for as long as this value lives.
#[derive(Debug)]
pub(super) struct StateDir {
    root: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory if need be and locks it.
    pub(super) fn open(root: &Path) -> Result<Self, StackError> {
        let root = std::path::absolute(root).map_err(StackError::file("find", root))?;
        create_private(&root)?;
        let lock = lock(&root)?;
        for folder in FOLDERS {
            create_private(&root.join(folder))?;
        }
        Ok(Self { root, _lock: lock })
    }

    /// MiniStack's saved state.
    pub(super) fn emulator(&self) -> PathBuf {
        self.root.join("emulator")
    }

    /// Held by the emulator while it lives; contains its process id.
    pub(super) fn emulator_lock(&self) -> PathBuf {
        self.root.join(EMULATOR_LOCK)
    }

    /// The emulator's log and one for each function.
    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The simulated machines' files, a folder for each.
    pub(super) fn machines(&self) -> PathBuf {
        self.root.join("machines")
    }

    /// The contents of S3.
    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// The emulator's temporary files.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The local Walrus aggregator's blobs.
    pub(super) fn walrus(&self) -> PathBuf {
        self.root.join("walrus")
    }

    /// The simulator's saved state.
    pub(super) fn sim_state(&self) -> PathBuf {
        self.root.join(SIM_STATE)
    }

    /// The ports of the last start, taken again if they are free.
    pub(super) fn ports(&self) -> PathBuf {
        self.root.join(PORTS)
    }

    /// What was uploaded at the last deploy.
    pub(super) fn artifacts(&self) -> PathBuf {
        self.root.join(ARTIFACTS)
    }

    /// What the stack tells other programs about itself.
    pub(super) fn local_json(&self) -> PathBuf {
        self.root.join(LOCAL_JSON)
    }
}

/// What a stack has kept, locked: no stack is running on it.
#[derive(Debug)]
pub(super) struct Kept {
    root: PathBuf,
    _lock: File,
}

impl Kept {
    /// What is kept in `root`, if a stack has ever used it.
    pub(super) fn find(root: &Path) -> Result<Option<Self>, StackError> {
        if !root.join(LOCK).exists() {
            return Ok(None);
        }
        Ok(Some(Self {
            root: root.into(),
            _lock: lock(root)?,
        }))
    }

    /// Held by the emulator while it lives.
    pub(super) fn emulator_lock(&self) -> PathBuf {
        self.root.join(EMULATOR_LOCK)
    }

    /// Removes everything a stack makes, and the directory itself if nothing else is in it.
    pub(super) fn remove(self) -> Result<(), StackError> {
        for folder in FOLDERS {
            remove(&self.root.join(folder), |path| fs::remove_dir_all(path))?;
        }
        for file in FILES {
            remove(&self.root.join(file), |path| fs::remove_file(path))?;
        }
        match fs::remove_dir(&self.root) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(StackError::file("remove", self.root)(error))
            }
            _ => Ok(()),
        }
    }
}

fn remove(path: &Path, how: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), StackError> {
    match how(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StackError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn create_private(path: &Path) -> Result<(), StackError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StackError::file("create", path))
}

fn lock(root: &Path) -> Result<File, StackError> {
    let path = root.join(LOCK);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(StackError::file("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StackError::StateDirInUse(root.into())),
        Err(TryLockError::Error(error)) => Err(StackError::file("lock", path)(error)),
    }
}

/// Replaces a file in one step, readable by this user only.
fn write_private(path: &Path, contents: &[u8]) -> Result<(), StackError> {
    let partial = path.with_extension("partial");
    remove(&partial, |path| fs::remove_file(path))?;
    let write = || {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(contents)?;
        fs::rename(&partial, path)
    };
    write().map_err(StackError::file("write", path))
}

/// Replaces a JSON file in one step, readable by this user only.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StackError> {
    let text = serde_json::to_vec_pretty(value).map_err(StackError::Json)?;
    write_private(path, &text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_belongs_to_one_stack_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("state");
        let first = StateDir::open(&root).unwrap();
        assert!(matches!(
            StateDir::open(&root),
            Err(StackError::StateDirInUse(_))
        ));
        assert!(matches!(
            Kept::find(&root),
            Err(StackError::StateDirInUse(_))
        ));
        drop(first);
        StateDir::open(&root).unwrap();
    }

    #[test]
    fn reset_removes_what_a_stack_keeps_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("state");
        assert!(Kept::find(&root).unwrap().is_none());
        let dir = StateDir::open(&root).unwrap();
        write_private(&dir.local_json(), b"{}").unwrap();
        fs::write(dir.machines().join("i-1"), "").unwrap();
        fs::write(root.join("precious"), "").unwrap();
        drop(dir);
        Kept::find(&root).unwrap().unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
        assert!(root.join("precious").exists());

        fs::remove_file(root.join("precious")).unwrap();
        drop(StateDir::open(&root).unwrap());
        Kept::find(&root).unwrap().unwrap().remove().unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn reset_leaves_a_directory_alone_that_no_stack_has_used() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("logs")).unwrap();
        assert!(Kept::find(root.path()).unwrap().is_none());
        assert!(root.path().join("logs").exists());
    }

    #[test]
    fn what_holds_the_token_is_for_this_user_only() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("local.json");
        fs::write(&path, "old, and readable by others").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
