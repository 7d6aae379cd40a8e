//! Everything that talks to AWS: one small client per service, with the operations Haulout needs of it.
//! Nothing here decides; decisions are `haulout_domain`'s. Each service is a Cargo feature, so that a
//! function links only what it calls.

#[cfg(feature = "catalog")]
pub mod catalog;
pub mod clock;
#[cfg(feature = "compute")]
pub mod compute;
pub mod config;
#[cfg(feature = "directory")]
pub mod directory;
pub mod emf;
pub mod env;
pub mod error;
#[cfg(feature = "figures")]
pub mod figures;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "compute")]
pub mod groups;
#[cfg(feature = "notify")]
pub mod notify;
#[cfg(feature = "objects")]
pub mod objects;
#[cfg(all(feature = "compute", feature = "store", feature = "workflow"))]
pub mod orders;
pub mod progress;
#[cfg(feature = "registry")]
pub mod registry;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "store")]
pub mod store;
pub mod telemetry;
#[cfg(any(feature = "registry", feature = "store"))]
mod transaction;
#[cfg(feature = "workflow")]
pub mod workflow;
