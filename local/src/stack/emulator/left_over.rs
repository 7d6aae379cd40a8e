//! The emulator of a stack that was killed: it is ending by itself, and saving; one that hangs is killed.
//!
//! The lock file tells whether there is one, without a doubt about a process id used again: it is held by the emulator
//! for as long as that lives.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::{POLL, STOP};
use crate::stack::error::StackError;

/// After this long a left-over emulator, which should be ending by itself, is told to.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until the emulator that holds this lock has ended, or ends it.
pub(in crate::stack) async fn end_left_over(lock_file: &Path) -> Result<(), StackError> {
    end_holder(lock_file, PATIENCE, STOP).await
}

/// Waits until nobody holds the lock; the holder is told to end after a while, and killed after another.
async fn end_holder(
    lock_file: &Path,
    tell: Duration,
    kill_after: Duration,
) -> Result<(), StackError> {
    let file = match File::options().read(true).write(true).open(lock_file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(StackError::file("open", lock_file))?,
    };
    let begun = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => {
                return Err(StackError::file("lock", lock_file)(error));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = fs::read_to_string(lock_file)
            .ok()
            .and_then(|pid| group(pid.trim().parse().ok()?));
        if let Some(holder) = holder {
            if begun.elapsed() > kill_after {
                let _ = killpg(holder, Signal::SIGKILL);
            } else if begun.elapsed() > tell && !told {
                let _ = kill(holder, Signal::SIGTERM);
                told = true;
            }
        }
        if begun.elapsed() > kill_after * 2 {
            return Err(StackError::Emulator {
                what: "of an earlier start cannot be ended".into(),
                log: lock_file.into(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A process id as the kernel wants it. Never 0 or negative, which would mean other processes than the one meant.
pub(super) fn group(pid: u32) -> Option<Pid> {
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::process::{ExitStatus, Stdio};

    use super::*;

    /// More than any of these tests takes.
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn only_real_processes_are_signalled() {
        assert_eq!(group(0), None);
        assert_eq!(group(1), None);
        assert_eq!(group(u32::MAX), None);
        assert_eq!(group(4_711), Some(Pid::from_raw(4_711)));
    }

    #[tokio::test]
    async fn nothing_is_left_over_without_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("emulator.lock");
        end_left_over(&lock).await.unwrap();
        // The process is gone, its id may be another's by now: the lock says so.
        fs::write(&lock, "1234").unwrap();
        end_left_over(&lock).await.unwrap();
    }

    /// Somebody who holds the lock until the process of this program ends, as a left-over emulator does.
    async fn held_by(program: &str, tell: Duration, kill_after: Duration) -> ExitStatus {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("emulator.lock");
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", program])
            .process_group(0)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        fs::write(&lock, child.id().unwrap().to_string()).unwrap();
        let holder = File::open(&lock).unwrap();
        holder.lock().unwrap();
        // It has set its traps once it says so.
        let mut ready = [0];
        let mut stdout = child.stdout.take().unwrap();
        tokio::io::AsyncReadExt::read_exact(&mut stdout, &mut ready)
            .await
            .unwrap();
        let (ended, status) = tokio::join!(end_holder(&lock, tell, kill_after), async {
            let status = child.wait().await.unwrap();
            drop(holder);
            status
        });
        ended.unwrap();
        status
    }

    #[tokio::test]
    async fn a_left_over_is_given_time_to_end_by_itself() {
        let status = held_by("echo; sleep 0.2; exit 7", LONG, LONG).await;
        assert_eq!(status.code(), Some(7));
    }

    #[tokio::test]
    async fn a_left_over_that_lingers_is_told_to_end() {
        let status = held_by(
            "trap 'exit 8' TERM; echo; while :; do sleep 0.02; done",
            POLL,
            LONG,
        )
        .await;
        assert_eq!(status.code(), Some(8));
    }

    #[tokio::test]
    async fn a_left_over_that_hangs_is_killed() {
        let status = held_by(
            "trap '' TERM; echo; while :; do sleep 0.02; done",
            POLL,
            POLL * 4,
        )
        .await;
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }
}
