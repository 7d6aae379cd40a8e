//! The functions' binaries: built with cargo, stripped, and zipped as Lambda's `bootstrap`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::error::StackError;
use super::helper::Helper;

/// Packages of older builds are removed when they were not made again for so long.
const KEEP_PACKAGES: Duration = Duration::from_hours(24);

/// A function's deployment package.
#[derive(Debug)]
pub(super) struct Package {
    /// The binary's name.
    pub(super) binary: String,
    /// The zip; its name changes with its content.
    pub(super) zip: PathBuf,
}

/// What cargo says of this checkout.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    /// Where cargo puts its output, in this environment.
    pub(super) target_directory: PathBuf,
    #[serde(rename = "packages")]
    crates: Vec<Crate>,
}

#[derive(Debug, Deserialize)]
struct Crate {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Asks cargo.
pub(super) async fn workspace(root: &Path) -> Result<Workspace, StackError> {
    let (status, stdout) = cargo(root, &["metadata", "--no-deps", "--format-version", "1"]).await?;
    if !status.success() {
        return Err(StackError::Build { status });
    }
    serde_json::from_slice(&stdout).map_err(StackError::CargoOutput)
}

impl Workspace {
    /// The functions' binaries, as template.yaml names them: those of the crates below `functions`.
    fn binaries(&self, root: &Path) -> Vec<String> {
        let folder = root.join("functions");
        let own = self.crates.iter();
        let own = own.filter(|it| it.manifest_path.starts_with(&folder));
        let targets = own.flat_map(|it| &it.targets);
        let binaries = targets.filter(|target| target.kind.iter().any(|kind| kind == "bin"));
        let mut names: Vec<String> = binaries.map(|target| target.name.clone()).collect();
        names.sort();
        names
    }
}

/// Builds the functions as this program was built; cargo shows its progress itself.
pub(super) async fn build(
    root: &Path,
    workspace: &Workspace,
) -> Result<Vec<(String, PathBuf)>, StackError> {
    let binaries = workspace.binaries(root);
    // `--workspace` makes the features those of a build of everything, so that a test run's build is used again.
    let mut arguments = vec![
        "build",
        "--workspace",
        "--message-format",
        "json-render-diagnostics",
    ];
    if !cfg!(debug_assertions) {
        arguments.push("--release");
    }
    arguments.extend(binaries.iter().flat_map(|binary| ["--bin", binary]));
    let (status, stdout) = cargo(root, &arguments).await?;
    if !status.success() {
        return Err(StackError::Build { status });
    }
    let built = executables(&stdout)?;
    binaries
        .into_iter()
        .map(|binary| {
            let found = built
                .iter()
                .find(|path| path.file_stem().is_some_and(|name| name == binary.as_str()));
            match found {
                Some(path) => Ok((binary, path.clone())),
                None => Err(StackError::NotBuilt { binary }),
            }
        })
        .collect()
}

/// The executables among cargo's messages (one JSON object a line).
fn executables(messages: &[u8]) -> Result<Vec<PathBuf>, StackError> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let lines = messages
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"{"));
    let parsed: Result<Vec<Message>, _> = lines.map(serde_json::from_slice).collect();
    Ok(parsed
        .map_err(StackError::CargoOutput)?
        .into_iter()
        .filter_map(|message| message.executable)
        .collect())
}

async fn cargo(root: &Path, arguments: &[&str]) -> Result<(ExitStatus, Vec<u8>), StackError> {
    // Cargo sets CARGO for what it runs; by itself this program takes the one on the path.
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| cannot_run(program.clone(), source))?
        .wait_with_output()
        .await
        .map_err(|source| cannot_run(program, source))?;
    Ok((output.status, output.stdout))
}

fn cannot_run(program: String, source: std::io::Error) -> StackError {
    StackError::Program {
        program,
        hint: "install Rust from https://rustup.rs",
        source,
    }
}

/// Makes the deployment packages under `cache`, those that are not there yet.
pub(super) async fn package(
    built: &[(String, PathBuf)],
    cache: &Path,
    helper: &Helper,
) -> Result<Vec<Package>, StackError> {
    fs::create_dir_all(cache).map_err(StackError::file("create", cache))?;
    let mut packages = Vec::with_capacity(built.len());
    for (binary, executable) in built {
        let zip = cache.join(format!("{binary}-{}.zip", stamp(executable)?));
        if !zip.exists() {
            make(executable, &zip, helper).await?;
        }
        packages.push(Package {
            binary: binary.clone(),
            zip,
        });
    }
    remove_old(cache, &packages)?;
    Ok(packages)
}

/// Changes when cargo links a binary anew. Hashing hundreds of megabytes would cost every start seconds.
fn stamp(executable: &Path) -> Result<String, StackError> {
    let metadata = fs::metadata(executable).map_err(StackError::file("read", executable))?;
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    Ok(format!(
        "{profile}-{:x}-{:x}{:08x}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

async fn make(executable: &Path, zip: &Path, helper: &Helper) -> Result<(), StackError> {
    // Names of our own: another start may be making the same package.
    let partial = zip.with_extension(format!("{}.partial", std::process::id()));
    let stripped = zip.with_extension(format!("{}.stripped", std::process::id()));
    let source = if strip(executable, &stripped).await {
        &stripped
    } else {
        executable
    };
    let made = helper.zip(source, &partial).await;
    let _ = fs::remove_file(&stripped);
    made?;
    fs::rename(&partial, zip).map_err(StackError::file("write", zip))
}

/// Debug information is most of a binary. Without binutils the package is larger and otherwise the same.
async fn strip(executable: &Path, to: &Path) -> bool {
    let status = Command::new("strip")
        .arg("-o")
        .args([to, executable])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    status.await.is_ok_and(|status| status.success()) && to.exists()
}

/// Removes packages that no start has made or kept for a day. Another stack's fresh one stays.
fn remove_old(cache: &Path, current: &[Package]) -> Result<(), StackError> {
    for entry in fs::read_dir(cache).map_err(StackError::file("read", cache))? {
        let path = entry.map_err(StackError::file("read", cache))?.path();
        if current.iter().any(|package| package.zip == path) {
            continue;
        }
        // It may be gone already: another start removes the same ones.
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > KEEP_PACKAGES));
        if let Err(error) = if old { fs::remove_file(&path) } else { Ok(()) }
            && error.kind() != ErrorKind::NotFound
        {
            return Err(StackError::file("remove", path)(error));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"x"},"executable":"/t/debug/haulout-console"}"#,
            "\n",
            "not a message\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n"
        );
        assert_eq!(
            executables(messages.as_bytes()).unwrap(),
            [PathBuf::from("/t/debug/haulout-console")]
        );
    }

    #[test]
    fn the_binaries_of_all_functions_are_found_and_no_others() {
        let told = r#"{
            "target_directory": "/w/target",
            "packages": [
                {"manifest_path": "/w/local/Cargo.toml", "targets": [
                    {"name": "haulout_local", "kind": ["lib"]}, {"name": "haulout-local", "kind": ["bin"]}]},
                {"manifest_path": "/w/functions/packages/Cargo.toml", "targets": [
                    {"name": "haulout_packages", "kind": ["lib"]}, {"name": "haulout-packages", "kind": ["bin"]},
                    {"name": "haulout-sync", "kind": ["bin"]}]},
                {"manifest_path": "/w/functions/console/Cargo.toml", "targets": [
                    {"name": "haulout-console", "kind": ["bin"]}]}
            ]
        }"#;
        let workspace: Workspace = serde_json::from_str(told).unwrap();
        assert_eq!(
            workspace.binaries(Path::new("/w")),
            ["haulout-console", "haulout-packages", "haulout-sync"]
        );
    }

    #[test]
    fn another_build_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("x");
        fs::write(&binary, "one").unwrap();
        let first = stamp(&binary).unwrap();
        assert_eq!(stamp(&binary).unwrap(), first);
        fs::write(&binary, "four").unwrap();
        assert_ne!(stamp(&binary).unwrap(), first);
    }

    #[test]
    fn fresh_packages_of_other_builds_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("haulout-console-dev-1-2.zip");
        fs::write(&other, "").unwrap();
        remove_old(folder.path(), &[]).unwrap();
        assert!(other.exists());
        let old = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options()
            .write(true)
            .open(&other)
            .unwrap()
            .set_modified(old)
            .unwrap();
        remove_old(folder.path(), &[]).unwrap();
        assert!(!other.exists());
    }
}
