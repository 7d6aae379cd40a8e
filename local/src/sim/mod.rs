//! The simulator: machines that answer as EC2, Auto Scaling, Systems Manager and CloudWatch do, over loopback HTTP.
//!
//! It speaks the wire protocols of exactly the actions the control plane calls, so the real AWS SDK talks to it. States
//! of machines are pure functions of the clock and of recorded instants: a test on a manual clock never waits. Commands
//! sent to a machine really run ([`Executor::Real`]) or follow a script given by the test ([`Executor::Scripted`]).
//!
//! Invariants: it listens on loopback only; one mutex guards the state and is never held across an await; what is kept
//! in the state file is written before the call that changed it is answered; no process of a machine outlives the
//! machine's running state, nor the simulator.

mod admin;
mod answer;
mod armed;
mod autoscaling;
mod clock;
mod cloudwatch;
mod config;
mod ec2;
mod error;
mod events;
mod exec;
mod fault;
mod fault_body;
mod handle;
mod housekeeper;
mod http;
mod ids;
mod image;
mod instance;
mod lifecycle;
mod limits;
mod persist;
mod progress;
mod reply;
mod route;
mod server;
mod snapshot;
mod ssm;
mod state;
mod stock;
mod strike;

pub use autoscaling::{GroupInstanceView, GroupView};
pub use clock::Clock;
pub use config::{AutoScalingGroupSeed, LaunchTemplateSeed, SimConfig, Subnet};
pub use error::{InterruptError, SimError};
pub use events::{Event, EventKind, EventStream};
pub use exec::{Executor, Script, ScriptedCommand, ScriptedOutcome};
pub use fault::{Fault, FaultError, Match};
pub use handle::{Sim, SimHandle};
pub use http::Door;
pub use image::Image;
pub use lifecycle::Interruption;
pub use limits::{Capacity, Market, Price, PriceError, SpotPrice};
pub use snapshot::{CommandView, MachineView, Snapshot};
pub use stock::{SecurityGroupView, SpotRequestView, VolumeView};

/// The seeded launch template's id: the same in every simulator, so that configuration can name it.
pub const LAUNCH_TEMPLATE_ID: &str = "lt-0a1b2c3d4e5f60718";
