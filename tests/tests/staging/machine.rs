//! A machine to stage on: folders of its own, only the tools it is given, and every process it starts ended with it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use haulout_domain::staging::{StagingFailure, StagingReport, StagingRequest, outcome, script};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Everything the script may use on a machine; what is not named here, no case has.
const TOOLS: &[&str] = &[
    "awk",
    "bash",
    "cat",
    "chmod",
    "cmp",
    "curl",
    "cut",
    "date",
    "df",
    "dirname",
    "env",
    "find",
    "flock",
    "head",
    "id",
    "ln",
    "mkdir",
    "mv",
    "nohup",
    "python3",
    "rm",
    "sed",
    "setsid",
    "sh",
    "sha256sum",
    "sleep",
    "tail",
    "timeout",
    "touch",
    "tr",
    "unzip",
    "wc",
];

/// A script that says that it ran, and stays.
pub(crate) const STAYS: &str = "#!/bin/sh\necho \"$$ in $(pwd)\" >>\"$HAULOUT_STAGE_DIR/ran\"\necho hello from the model\nsleep 600 & wait\n";

/// How long a test waits for what should happen at once.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Machine {
    dir: TempDir,
    shell: &'static [&'static str],
    env: Vec<(&'static str, String)>,
}

/// A staging command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn outcome(&self) -> Result<StagingReport, StagingFailure> {
        outcome(self.code, &self.stdout, &self.stderr)
    }
}

/// A staging command that runs.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()),
            signal,
        )
        .unwrap();
    }

    /// As the SSM agent ends a command: its whole process group, at once.
    pub(crate) fn kill_group(&self) {
        kill(
            Pid::from_raw(-i32::try_from(self.child.id()).unwrap()),
            Signal::SIGKILL,
        )
        .unwrap();
    }

    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        until("the staging command ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Ended {
            code: status.unwrap().code(),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Machine {
    pub(crate) fn new(shell: &'static [&'static str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        let machine = Self {
            dir,
            shell,
            env: Vec::new(),
        };
        for tool in TOOLS {
            machine.tool(tool, &real(tool));
        }
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    fn tool(&self, name: &str, real: &Path) {
        std::os::unix::fs::symlink(real, self.path("bin").join(name)).unwrap();
    }

    /// Takes tools away.
    pub(crate) fn without(&self, tools: &[&str]) {
        for tool in tools {
            fs::remove_file(self.path("bin").join(tool)).unwrap();
        }
    }

    /// Puts a program of the test in a tool's place. `@real@` in its text is the tool itself, `@dir@` the machine's folder.
    pub(crate) fn shim(&self, name: &str, text: &str) {
        let file = self.path("bin").join(name);
        let real = fs::read_link(&file).unwrap_or_default();
        // It may not be there.
        let _ = fs::remove_file(&file);
        let text = text
            .replace("@real@", &real.to_string_lossy())
            .replace("@dir@", &self.dir.path().to_string_lossy());
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.to_owned()));
    }

    pub(crate) fn start(&self, request: &StagingRequest) -> Running {
        let text = tempfile::Builder::new()
            .tempfile_in(self.dir.path())
            .unwrap()
            .keep()
            .unwrap()
            .1;
        fs::write(&text, script(request)).unwrap();
        let (stdout, stderr) = (text.with_extension("stdout"), text.with_extension("stderr"));
        let mut command = Command::new(real(self.shell[0]));
        command
            .args(&self.shell[1..])
            .arg(&text)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .env("HAULOUT_STAGE_DIR", self.path("stage"))
            .env("HAULOUT_TMP", self.path("tmp"))
            .env("HAULOUT_WATCH_SECONDS", "0.1")
            .env("HAULOUT_BACKOFF_SECONDS", "0")
            .env("HAULOUT_STALL_SECONDS", "1")
            .env("HAULOUT_SYSTEMD_DIR", self.path("no-systemd"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout).unwrap())
            .stderr(fs::File::create(&stderr).unwrap())
            .process_group(0);
        Running {
            child: command.spawn().unwrap(),
            stdout,
            stderr,
        }
    }

    pub(crate) fn stage(&self, request: &StagingRequest) -> Ended {
        self.start(request).end()
    }

    /// How often the model's script has been started.
    pub(crate) fn runs(&self) -> usize {
        self.read("stage/ran").lines().count()
    }

    /// The model's process group.
    pub(crate) fn model(&self) -> Pid {
        Pid::from_raw(self.read("stage/script.pid").trim().parse().unwrap())
    }

    pub(crate) fn model_is_alive(&self) -> bool {
        kill(self.model(), None).is_ok()
    }

    /// What runs with this machine's stage directory in its environment.
    pub(crate) fn processes(&self) -> Vec<(Pid, String)> {
        let mark = format!("HAULOUT_STAGE_DIR={}\0", self.path("stage").display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
                continue;
            };
            // It may be gone by now.
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if String::from_utf8_lossy(&environment).contains(&mark) {
                let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let command = String::from_utf8_lossy(&command).replace('\0', " ");
                found.push((Pid::from_raw(pid), command));
            }
        }
        found
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            // It may have ended meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// Waits for a condition, bounded.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    until_none(what, || (!done()).then_some("not yet"));
}

/// Waits until nothing stands in the way any more, bounded.
#[expect(
    clippy::disallowed_methods,
    reason = "it waits for a condition of processes outside"
)]
pub(crate) fn until_none<T: std::fmt::Debug>(what: &str, mut obstacle: impl FnMut() -> Option<T>) {
    let end = Instant::now() + PATIENCE;
    while let Some(obstacle) = obstacle() {
        assert!(Instant::now() < end, "waited in vain: {what}: {obstacle:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Where a tool is on this computer.
pub(crate) fn real(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/bin".into(), "/bin".into()])
        .map(|folder| folder.join(tool))
        // A version manager's stand-in wants an environment of its own.
        .find(|file| file.is_file() && !file.to_string_lossy().contains("/shims/"));
    found.unwrap_or_else(|| {
        panic!("these tests need {tool}: install it (on Debian and Ubuntu, apt-get install {tool})")
    })
}
