//! The Python that the AWS emulator runs on: finds one, and keeps a virtual environment with the pinned packages.
//!
//! The environment lives beside the build's output and is shared by every stack of a checkout, so that neither a reset
//! nor a test's throw-away state directory installs it again. Its name carries the hash of what is in it; a marker
//! written last tells a whole one from a half-made one.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::Progress;
use super::error::StackError;

/// The packages, each at the version the stack was tested with.
const REQUIREMENTS: &str = include_str!("../../python/requirements.txt");
/// Says that an environment is complete.
const MARKER: &str = "haulout-complete";
/// Prints `3.11 True` when it can make virtual environments.
const PROBE: &str = "import sys, importlib.util as u; \
    print('%d.%d' % sys.version_info[:2], all(u.find_spec(m) for m in ('venv', 'ensurepip')))";
/// MiniStack needs this version or later.
const MINIMUM: (u32, u32) = (3, 10);
/// Tried in this order.
const NAMES: [&str; 7] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python",
];
/// How often to look whether another start has finished installing.
const LOCK_POLL: Duration = Duration::from_millis(250);
/// How much of a failed program's output is shown.
const TAIL_LINES: usize = 15;

/// The interpreter of a complete environment under `cache`, which is made if need be.
pub(super) async fn environment(cache: &Path, progress: &Progress) -> Result<PathBuf, StackError> {
    let environment = cache.join(format!("python-{:.12x}", Sha256::digest(REQUIREMENTS)));
    let python = environment.join("bin/python");
    if is_complete(&environment).await {
        return Ok(python);
    }
    let _lock = lock(&cache.join("python.lock"), progress).await?;
    if is_complete(&environment).await {
        return Ok(python);
    }
    let base = find().await?;
    progress(&format!(
        "Installing the AWS emulator (MiniStack) with {base} into {}: about 100 MB, once",
        environment.display()
    ));
    install(&base, &environment).await?;
    Ok(python)
}

async fn is_complete(environment: &Path) -> bool {
    // The interpreter it was made from may have gone since.
    environment.join(MARKER).exists()
        && Command::new(environment.join("bin/python"))
            .args(["-I", "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .is_ok_and(|status| status.success())
}

async fn install(base: &str, environment: &Path) -> Result<(), StackError> {
    run(
        "making a Python environment",
        Command::new(base)
            .args(["-I", "-m", "venv", "--clear"])
            .arg(environment),
    )
    .await?;
    let requirements = environment.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)
        .map_err(StackError::file("write", &requirements))?;
    let pip = [
        "-I",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "-r",
    ];
    run(
        "installing the AWS emulator",
        Command::new(environment.join("bin/python"))
            .args(pip)
            .arg(&requirements),
    )
    .await?;
    let marker = environment.join(MARKER);
    std::fs::write(&marker, "").map_err(StackError::file("write", marker))
}

/// Runs a program that installs something; what it printed is shown only when it fails.
async fn run(what: &'static str, command: &mut Command) -> Result<(), StackError> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| StackError::Program {
            program: what.into(),
            hint: "is Python still there?",
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(StackError::Install {
        what,
        output: tail(&String::from_utf8_lossy(&text)),
    })
}

/// The last lines of a text, without empty ones.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Waits for the lock on the environment; the other start may well install for a minute.
async fn lock(path: &Path, progress: &Progress) -> Result<File, StackError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(StackError::file("create", parent))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(StackError::file("open", path))?;
    let mut announced = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !announced {
                    progress(
                        "Waiting for another local stack, which is installing the AWS emulator",
                    );
                    announced = true;
                }
                tokio::time::sleep(LOCK_POLL).await;
            }
            Err(TryLockError::Error(error)) => return Err(StackError::file("lock", path)(error)),
        }
    }
}

/// A Python that is new enough and can make environments.
async fn find() -> Result<String, StackError> {
    let chosen = std::env::var("HAULOUT_PYTHON")
        .ok()
        .filter(|name| !name.is_empty());
    let names = chosen
        .as_deref()
        .map_or_else(|| NAMES.to_vec(), |name| vec![name]);
    let mut tried = Vec::new();
    let mut without_venv = None;
    for name in names {
        match probe(name).await {
            Probe::Suitable => return Ok(name.into()),
            Probe::NoVenv => without_venv = without_venv.or(Some(name)),
            Probe::TooOld(version) => tried.push(format!("{name}, which is {version}")),
            Probe::Broken(why) => tried.push(format!("{name}: {why}")),
            Probe::Absent => tried.push(name.into()),
        }
    }
    Err(without_venv.map_or_else(
        || StackError::NoPython {
            tried: tried.join("; "),
        },
        |python| StackError::NoVenv {
            python: python.into(),
        },
    ))
}

#[derive(Debug, PartialEq, Eq)]
enum Probe {
    Suitable,
    NoVenv,
    TooOld(String),
    Broken(String),
    Absent,
}

async fn probe(name: &str) -> Probe {
    let output = Command::new(name)
        .args(["-I", "-c", PROBE])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    match output {
        Ok(output) if output.status.success() => judge(&String::from_utf8_lossy(&output.stdout)),
        // A version manager's shim for a version that is not installed fails like this.
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Probe::Broken(said.lines().next().unwrap_or("it fails").to_owned())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Probe::Absent,
        Err(error) => Probe::Broken(error.to_string()),
    }
}

/// What the probe's answer says, e.g. `3.11 True`.
fn judge(answer: &str) -> Probe {
    let mut words = answer.split_whitespace();
    let version = words.next().unwrap_or_default();
    let numbers = version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match numbers {
        Some(found) if found < MINIMUM => Probe::TooOld(version.into()),
        Some(_) if words.next() == Some("True") => Probe::Suitable,
        Some(_) => Probe::NoVenv,
        None => Probe::Broken(format!("it answered {answer:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_is_judged_by_version_and_venv() {
        assert_eq!(judge("3.11 True\n"), Probe::Suitable);
        assert_eq!(judge("3.10 True"), Probe::Suitable);
        assert_eq!(judge("4.0 True"), Probe::Suitable);
        assert_eq!(judge("3.9 True"), Probe::TooOld("3.9".into()));
        assert_eq!(judge("3.12 False"), Probe::NoVenv);
        assert!(matches!(judge("hello"), Probe::Broken(_)));
        assert!(matches!(judge(""), Probe::Broken(_)));
    }

    #[tokio::test]
    async fn a_missing_program_is_absent_and_a_failing_one_broken() {
        assert_eq!(probe("no-such-python-anywhere").await, Probe::Absent);
        assert!(matches!(probe("false").await, Probe::Broken(_)));
    }

    #[test]
    fn the_end_of_a_long_output_is_shown() {
        let text: String = "a line\n\n".repeat(40) + "the last\n";
        let tail = tail(&text);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("the last"));
    }

    #[test]
    fn every_package_is_pinned() {
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("=="), "{line}");
        }
    }

    #[tokio::test]
    async fn a_half_made_environment_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_complete(folder.path()).await);
        std::fs::write(folder.path().join(MARKER), "").unwrap();
        assert!(!is_complete(folder.path()).await, "it has no interpreter");
    }
}
