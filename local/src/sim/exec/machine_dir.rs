//! A machine's directory: its temporary files, staged files, home, command scripts, and stand-ins for package managers.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

/// Marks a machine's processes in their environment, by the instance's id.
pub(super) const MARKER: &str = "HAULOUT_SIM_INSTANCE";

/// Package managers that do nothing but note that they were called.
const PACKAGE_MANAGERS: [&str; 3] = ["apt", "apt-get", "dnf"];
const PACKAGE_MANAGER: &str = ".package-manager";
const PACKAGE_MANAGER_SCRIPT: &str = "#!/bin/sh
# A simulated machine has the packages of the computer it runs on: nothing is installed, only noted.
here=${0%/*}
echo \"${0##*/} $*\" >> \"$here/../packages.log\"
";

/// Where a machine finds programs when the simulator itself has no PATH.
const FALLBACK_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A machine's directory, `<machines_dir>/<instance-id>`.
#[derive(Clone, Debug)]
pub(in crate::sim) struct MachineDir {
    root: PathBuf,
    instance_id: String,
}

/// Makes the directory of all machines. The package managers' script is written here, once, before anything runs: a file
/// that is being written while some other process is started cannot be executed.
pub(in crate::sim) fn prepare_machines_dir(machines_dir: &Path) -> io::Result<()> {
    private_dir(machines_dir)?;
    let script = machines_dir.join(PACKAGE_MANAGER);
    fs::write(&script, PACKAGE_MANAGER_SCRIPT)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))
}

impl MachineDir {
    pub(in crate::sim) fn new(machines_dir: &Path, instance_id: &str) -> Self {
        Self {
            root: machines_dir.join(instance_id),
            instance_id: instance_id.to_owned(),
        }
    }

    /// Makes what a machine has; what is there stays.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for directory in [self.tmp(), self.home(), self.stage(), self.shims()] {
            private_dir(&directory)?;
        }
        for name in PACKAGE_MANAGERS {
            match symlink(
                Path::new("../..").join(PACKAGE_MANAGER),
                self.shims().join(name),
            ) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes a command's script and answers the directory it is in.
    pub(super) fn write_script(&self, command_id: &str, lines: &[String]) -> io::Result<PathBuf> {
        let directory = self.root.join("var/lib/amazon/ssm").join(command_id);
        private_dir(&directory)?;
        fs::write(directory.join("_script.sh"), lines.join("\n") + "\n")?;
        Ok(directory)
    }

    /// The directory that a command's `workingDirectory` means on this machine.
    pub(super) fn working_directory(&self, asked_for: Option<&str>) -> io::Result<PathBuf> {
        let Some(asked_for) = asked_for else {
            return Ok(self.home());
        };
        let mut directory = self.root.clone();
        for component in Path::new(asked_for).components() {
            match component {
                Component::Normal(name) => directory.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!("the working directory {asked_for} leaves the machine"),
                    ));
                }
            }
        }
        private_dir(&directory)?;
        Ok(directory)
    }

    /// The environment of its processes: nothing of the simulator's own, except where programs are.
    pub(super) fn environment(&self, region: &str) -> Vec<(&'static str, String)> {
        let path = std::env::var("PATH").unwrap_or_else(|_| FALLBACK_PATH.into());
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("PATH", format!("{}:{path}", self.shims().display())),
            ("HOME", text(self.home())),
            ("TMPDIR", text(self.tmp())),
            ("LANG", "C.UTF-8".into()),
            ("HAULOUT_STAGE_DIR", text(self.stage())),
            ("HAULOUT_TMP", text(self.tmp())),
            (MARKER, self.instance_id.clone()),
            ("AWS_SSM_INSTANCE_ID", self.instance_id.clone()),
            ("AWS_SSM_REGION_NAME", region.into()),
        ]
    }

    /// Empties the temporary files, which on Amazon Linux 2023 are in memory.
    pub(in crate::sim) fn clear_tmp(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.tmp()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if self.root.exists() {
            private_dir(&self.tmp())
        } else {
            Ok(())
        }
    }

    /// Removes everything.
    pub(in crate::sim) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn home(&self) -> PathBuf {
        self.root.join("root")
    }

    fn stage(&self) -> PathBuf {
        self.root.join("var/lib/haulout")
    }

    fn shims(&self) -> PathBuf {
        self.root.join("shims")
    }
}

/// A directory for this user only.
fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_working_directory_stays_on_the_machine() {
        let machines = tempfile::tempdir().unwrap();
        let dir = MachineDir::new(machines.path(), "i-1");
        dir.prepare().unwrap();
        let root = machines.path().join("i-1");
        assert_eq!(dir.working_directory(None).unwrap(), root.join("root"));
        assert_eq!(
            dir.working_directory(Some("/tmp/model")).unwrap(),
            root.join("tmp/model")
        );
        for bad in ["..", "/tmp/../../x", "a/../../.."] {
            assert!(dir.working_directory(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn clearing_and_removing_are_repeatable() {
        let machines = tempfile::tempdir().unwrap();
        let dir = MachineDir::new(machines.path(), "i-1");
        dir.clear_tmp().unwrap();
        assert!(!machines.path().join("i-1").exists());
        dir.prepare().unwrap();
        dir.prepare().unwrap();
        fs::write(machines.path().join("i-1/tmp/x"), "x").unwrap();
        dir.clear_tmp().unwrap();
        assert_eq!(
            fs::read_dir(machines.path().join("i-1/tmp"))
                .unwrap()
                .count(),
            0
        );
        dir.remove().unwrap();
        dir.remove().unwrap();
    }
}
