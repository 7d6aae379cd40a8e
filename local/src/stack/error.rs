//! Why the local stack does not start, or stopped. Each message says what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

use super::http::HttpError;
use crate::sim::SimError;
use crate::walrus::WalrusError;

/// The local stack could not be started, or one of its parts ended.
#[derive(Debug, Error)]
pub enum StackError {
    /// The speed is out of range.
    #[error("--speed must be a number from 1 to 1000, not {0}")]
    Speed(f64),
    /// The program was not built where the repository is.
    #[error("{} is not there; start the stack with `cargo run` in a checkout of the repository", .0.display())]
    NoCheckout(PathBuf),
    /// The front door's port is taken or not allowed.
    #[error(
        "port {port} on 127.0.0.1 cannot be used; stop what listens there, or choose another with --port"
    )]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another stack holds the state directory.
    #[error("another local stack is using {}; stop it, or give this one its own --state-dir", .0.display())]
    StateDirInUse(PathBuf),
    /// A file or folder of the stack cannot be used.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done, e.g. `create`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No suitable Python.
    #[error(
        "no Python 3.10 or later was found (tried {tried}); install one, or name it in HAULOUT_PYTHON"
    )]
    NoPython {
        /// What was tried and what came of it.
        tried: String,
    },
    /// The Python found has no venv module.
    #[error(
        "{python} cannot make virtual environments; install its venv module (Debian and Ubuntu: apt install \
         python3-venv), or name another Python in HAULOUT_PYTHON"
    )]
    NoVenv {
        /// The Python found.
        python: String,
    },
    /// A virtual environment could not be made or filled.
    #[error(
        "{what} failed; the first start needs Python's package index (PyPI, or what pip is configured to use):\n{output}"
    )]
    Install {
        /// Which step.
        what: &'static str,
        /// The last lines it printed.
        output: String,
    },
    /// A program could not be run at all.
    #[error("cannot run {program}; {hint}")]
    Program {
        /// The program.
        program: String,
        /// What to do about it.
        hint: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The functions do not compile.
    #[error("the functions could not be built ({status}); cargo's messages are above")]
    Build {
        /// How cargo ended.
        status: ExitStatus,
    },
    /// Cargo succeeded but built something else.
    #[error("cargo built no binary {binary}; is it still a member of the workspace?")]
    NotBuilt {
        /// The binary.
        binary: String,
    },
    /// What cargo printed is not what cargo documents.
    #[error("cannot understand what cargo said about the workspace")]
    CargoOutput(#[source] serde_json::Error),
    /// A value cannot be written as JSON.
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
    /// A function could not be packaged.
    #[error("packaging failed: {0}")]
    Package(String),
    /// The simulator does not start.
    #[error("the simulated machines do not start")]
    Sim(#[from] SimError),
    /// The Walrus aggregator does not start.
    #[error("the local Walrus aggregator does not start")]
    Walrus(#[from] WalrusError),
    /// The AWS emulator did not start, or ended.
    #[error("the AWS emulator {what}; its log is {}", log.display())]
    Emulator {
        /// What happened.
        what: String,
        /// Its log.
        log: PathBuf,
    },
    /// The emulator refused a call.
    #[error("the AWS emulator refused {call} ({status}): {body}")]
    Refused {
        /// The call.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: String,
    },
    /// The emulator could not be reached.
    #[error("cannot reach the AWS emulator for {call}")]
    Unreachable {
        /// The call.
        call: String,
        /// What went wrong.
        #[source]
        source: HttpError,
    },
    /// The emulator's answer is not what AWS documents.
    #[error("cannot understand the AWS emulator's answer to {call}: {why}")]
    Answer {
        /// The call.
        call: String,
        /// What is wrong with it.
        why: String,
    },
    /// The template was not deployed.
    #[error(
        "template.yaml could not be deployed: {reason}; if the state is from another version, `cargo run -- reset` begins anew"
    )]
    Deploy {
        /// What CloudFormation said, resource by resource.
        reason: String,
    },
    /// The first admin cannot sign in.
    #[error(
        "the first admin could not sign in ({status}): {body}; if that account was changed or deleted, `cargo run -- reset` begins anew"
    )]
    SignIn {
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: String,
    },
    /// The program cannot be told to end.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// The front door stopped serving.
    #[error("the front door stopped")]
    FrontDoor(#[source] io::Error),
}

impl StackError {
    /// For `map_err`: what was being done to which file.
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}
