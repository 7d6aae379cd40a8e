//! Haulout's types, statuses and decisions: functions from values to values. No I/O, no clock, no async and
//! no AWS SDK in here; whoever calls passes in what was observed and what time it is.

pub mod access;
pub mod aws_code;
pub mod blob;
pub mod digest;
pub mod failure;
pub mod guard;
pub mod identity;
pub mod ids;
pub mod image;
pub mod instance_type;
pub mod launch;
#[cfg(test)]
mod launch_tests;
mod launching;
#[cfg(test)]
mod life_tests;
pub mod machine;
pub mod naming;
pub mod notice;
pub mod offer;
pub mod package;
pub mod plan;
pub mod poll;
pub mod pool;
pub mod power;
#[cfg(test)]
mod power_tests;
mod schema;
pub mod staging;
pub mod status;
pub mod sweep;
#[cfg(test)]
mod test_machines;
pub mod transition;
