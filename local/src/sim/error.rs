//! Why a simulator does not start, and why an interruption is refused.

use std::path::PathBuf;

use thiserror::Error;

/// A simulator could not be started.
#[derive(Debug, Error)]
pub enum SimError {
    /// The clock's speed is not a positive number.
    #[error("the simulation's speed must be a positive number, not {0}")]
    Speed(f64),
    /// The port is taken or not allowed.
    #[error(
        "the simulator cannot listen on 127.0.0.1:{port}; choose another port, or 0 for a free one"
    )]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another simulator holds the state file.
    #[error("another simulator is using {}; stop it or choose another state directory", .0.display())]
    StateInUse(PathBuf),
    /// The state file cannot be read or written.
    #[error("the simulator cannot use its state file {}", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The state file is not what a simulator wrote.
    #[error("the simulator cannot understand its state file {}; delete it to begin anew", path.display())]
    StateContent {
        /// The file.
        path: PathBuf,
        /// Where it stopped making sense.
        #[source]
        source: serde_json::Error,
    },
    /// The machines' directory cannot be made.
    #[error("the simulator cannot make the machines' directory {}", path.display())]
    MachinesDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A seeded Auto Scaling group is not valid.
    #[error("the Auto Scaling group {name} is not valid: {reason}")]
    AutoScalingGroup {
        /// Its name.
        name: String,
        /// What Auto Scaling would have said.
        reason: String,
    },
    /// A seeded launch template is not valid.
    #[error("the launch template {id} is not valid: {reason}")]
    LaunchTemplate {
        /// Its id.
        id: String,
        /// What EC2 would have said.
        reason: String,
    },
}

/// An interruption was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InterruptError {
    /// No such instance.
    #[error("there is no instance {0}")]
    Unknown(String),
    /// Only spot instances are interrupted.
    #[error("{0} is not a spot instance; launch it with the spot market to interrupt it")]
    NotSpot(String),
    /// It does not run, or is interrupted already.
    #[error("{0} is not running, or is interrupted already")]
    NotRunning(String),
}
