//! The AWS emulator's process: started on loopback, watched, and ended so that it saves its state.
//!
//! It leads a process group of its own, to which the functions' processes belong too: a terminal's Ctrl-C does not
//! reach it, and what hangs is killed whole. It ends by itself when its standard input closes.

mod environment;
mod left_over;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::{Request, Uri};
use nix::sys::signal::{Signal, kill, killpg};
use tokio::process::{Child, ChildStdin};

pub(super) use self::environment::{ACCOUNT, REGION, SECRET_KEY, Settings};
pub(super) use self::left_over::end_left_over;
use super::dirs::StateDir;
use super::error::StackError;
use super::helper::Helper;
use super::http::Http;

/// How long the emulator may take to answer after its start: it loads what it has saved.
const START: Duration = Duration::from_mins(1);
/// How long it may take to save and end, before it is killed.
const STOP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);
/// How often another port is tried when somebody was faster.
const PORT_ATTEMPTS: usize = 5;

/// A running emulator.
#[derive(Debug)]
pub(super) struct Emulator {
    /// Where it is, e.g. `http://127.0.0.1:40123`.
    pub(super) endpoint: String,
    /// Its port.
    pub(super) port: u16,
    child: Child,
    /// Closing it ends the emulator, however this process dies.
    stdin: ChildStdin,
    log: PathBuf,
}

impl Emulator {
    /// Starts it and waits until it answers.
    pub(super) async fn start(
        helper: &Helper,
        dir: &StateDir,
        http: &Http,
        settings: &Settings<'_>,
    ) -> Result<Self, StackError> {
        end_left_over(&dir.emulator_lock()).await?;
        keep_previous_logs(&dir.logs())?;
        remove_unpacked_functions(&dir.tmp())?;
        let mut preferred = settings.port;
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port(preferred.take())?;
            let mut emulator = Self::spawn(helper, dir, settings, port)?;
            if emulator.becomes_ready(http).await? {
                return Ok(emulator);
            }
        }
        Err(StackError::Emulator {
            what: "found no free port".into(),
            log: log_file(dir),
        })
    }

    fn spawn(
        helper: &Helper,
        dir: &StateDir,
        settings: &Settings<'_>,
        port: u16,
    ) -> Result<Self, StackError> {
        let log = log_file(dir);
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(StackError::file("open", &log))?;
        let errors = output.try_clone().map_err(StackError::file("open", &log))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut child = helper
            .emulator()
            .args([dir.emulator_lock(), dir.logs()])
            .env_clear()
            .envs(environment::variables(dir, settings, port, &endpoint))
            .current_dir(dir.tmp())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            // It must have the time to save; a closed standard input ends it.
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| StackError::Program {
                program: "the AWS emulator".into(),
                hint: "delete its Python environment; the next start makes it anew",
                source,
            })?;
        let stdin = child.stdin.take().ok_or_else(|| StackError::Emulator {
            what: "has no standard input".into(),
            log: log.clone(),
        })?;
        Ok(Self {
            endpoint,
            port,
            child,
            stdin,
            log,
        })
    }

    /// Waits until it answers. `false` when it ended because somebody else took its port.
    async fn becomes_ready(&mut self, http: &Http) -> Result<bool, StackError> {
        let until = Instant::now() + START;
        let edition = environment::edition(self.port);
        while Instant::now() < until {
            if let Some(status) = self
                .child
                .try_wait()
                .map_err(StackError::file("watch", &self.log))?
            {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                if text.contains("is already in use") || text.contains("address already in use") {
                    return Ok(false);
                }
                return Err(self.ended(status));
            }
            if self.answers(http, &edition).await {
                return Ok(true);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(StackError::Emulator {
            what: format!("did not answer within {START:?}"),
            log: self.log.clone(),
        })
    }

    /// Whether this emulator answers, and not another that was given the same port.
    async fn answers(&self, http: &Http, edition: &str) -> bool {
        let Ok(uri) = format!("{}/_ministack/health", self.endpoint).parse::<Uri>() else {
            return false;
        };
        let request = Request::get(uri).body(Full::default());
        let Ok(request) = request else { return false };
        let answer = http.send(request, Duration::from_secs(5)).await;
        answer.is_ok_and(|answer| String::from_utf8_lossy(answer.body()).contains(edition))
    }

    /// Waits until it ends, which it should not do.
    pub(super) async fn failed(&mut self) -> StackError {
        match self.child.wait().await {
            Ok(status) => self.ended(status),
            Err(source) => StackError::file("watch", &self.log)(source),
        }
    }

    fn ended(&self, status: ExitStatus) -> StackError {
        StackError::Emulator {
            what: format!("ended ({status})"),
            log: self.log.clone(),
        }
    }

    /// Lets it save and end; kills it and the functions if it hangs.
    pub(super) async fn stop(self) -> Result<(), StackError> {
        let Self {
            mut child,
            stdin,
            log,
            ..
        } = self;
        let Some(group) = child.id().and_then(left_over::group) else {
            return Ok(());
        };
        // Its own end of the pipe closes at the end of this function; the signal only saves the detour.
        let _ = kill(group, Signal::SIGTERM);
        let ended = tokio::time::timeout(STOP, child.wait()).await;
        // Whatever is left of its group: functions in the middle of a call.
        let _ = killpg(group, Signal::SIGKILL);
        drop(stdin);
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(StackError::Emulator {
                what: format!("ended badly ({status})"),
                log,
            }),
            Ok(Err(source)) => Err(StackError::file("watch", log)(source)),
            Err(_) => {
                let _ = child.wait().await;
                Err(StackError::Emulator {
                    what: format!(
                        "did not end within {STOP:?} and was killed; what changed in the last half minute may be lost"
                    ),
                    log,
                })
            }
        }
    }
}

fn log_file(dir: &StateDir) -> PathBuf {
    dir.logs().join("emulator.log")
}

/// `preferred` if it is free, or any port that is.
fn free_port(preferred: Option<u16>) -> Result<u16, StackError> {
    let free =
        |port| TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    preferred
        .and_then(|port| free(port).ok())
        .map_or_else(|| free(0), Ok)
        .map(|address| address.port())
        .map_err(|source| StackError::Port { port: 0, source })
}

/// Every run unpacks the functions anew, a hundred megabytes of them.
fn remove_unpacked_functions(folder: &Path) -> Result<(), StackError> {
    for entry in fs::read_dir(folder).map_err(StackError::file("read", folder))? {
        let entry = entry.map_err(StackError::file("read", folder))?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("ministack-provided-code-")
        {
            fs::remove_dir_all(entry.path()).map_err(StackError::file("remove", entry.path()))?;
        }
    }
    Ok(())
}

/// The logs of the last run stay readable under `….log.1`.
fn keep_previous_logs(folder: &Path) -> Result<(), StackError> {
    for entry in fs::read_dir(folder).map_err(StackError::file("read", folder))? {
        let path = entry.map_err(StackError::file("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let previous = path.with_extension("log.1");
            fs::rename(&path, previous).map_err(StackError::file("rename", path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_chosen() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Some(port)).unwrap(), port);
        drop(taken);
        assert_eq!(free_port(Some(port)).unwrap(), port);
    }

    #[test]
    fn the_last_runs_logs_are_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("emulator.log"), "new").unwrap();
        fs::write(folder.path().join("emulator.log.1"), "old").unwrap();
        keep_previous_logs(folder.path()).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("emulator.log.1")).unwrap(),
            "new"
        );
        assert!(!folder.path().join("emulator.log").exists());
    }
}
