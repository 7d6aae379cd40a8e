//! Haulout's types, statuses and decisions: functions from values to values. No I/O, no clock, no async and
//! no AWS SDK in here; whoever calls passes in what was observed and what time it is.

pub mod aws_code;
pub mod blob;
pub mod digest;
pub mod failure;
pub mod ids;
pub mod launch;
#[cfg(test)]
mod life_tests;
pub mod machine;
pub mod naming;
pub mod poll;
pub mod staging;
pub mod status;
pub mod sweep;
pub mod transition;
