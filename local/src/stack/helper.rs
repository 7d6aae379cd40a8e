//! The Python programs the stack runs beside MiniStack's own: the emulator's wrapper and what `sam package` does.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::StackError;

const EMULATOR: &str = include_str!("../../python/emulator.py");
const PACKAGE: &str = include_str!("../../python/package.py");

/// The interpreter with the emulator's packages, and our programs beside it.
#[derive(Clone, Debug)]
pub(super) struct Helper {
    python: PathBuf,
    scripts: PathBuf,
}

impl Helper {
    /// Writes our programs into `scripts`, a folder of this stack's own.
    pub(super) fn new(python: PathBuf, scripts: &Path) -> Result<Self, StackError> {
        for (name, text) in [("emulator.py", EMULATOR), ("package.py", PACKAGE)] {
            let path = scripts.join(name);
            std::fs::write(&path, text).map_err(StackError::file("write", path))?;
        }
        Ok(Self {
            python,
            scripts: scripts.into(),
        })
    }

    /// The command that runs the emulator; the caller gives its arguments and environment.
    pub(super) fn emulator(&self) -> Command {
        self.run("emulator.py")
    }

    /// Zips a binary as an executable `bootstrap`.
    pub(super) async fn zip(&self, binary: &Path, zip: &Path) -> Result<(), StackError> {
        self.package(
            Command::arg(&mut self.run("package.py"), "zip")
                .arg(binary)
                .arg(zip),
        )
        .await
        .map(drop)
    }

    /// The template with local paths replaced by uploaded artifacts, as JSON.
    pub(super) async fn template(
        &self,
        template: &Path,
        artifacts: &Path,
    ) -> Result<String, StackError> {
        self.package(
            Command::arg(&mut self.run("package.py"), "template")
                .arg(template)
                .arg(artifacts),
        )
        .await
    }

    fn run(&self, script: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg("-I")
            .arg(self.scripts.join(script))
            .kill_on_drop(true);
        command
    }

    async fn package(&self, command: &mut Command) -> Result<String, StackError> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|source| StackError::Program {
                program: self.python.display().to_string(),
                hint: "delete its folder; the next start makes it anew",
                source,
            })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(StackError::Package(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}
