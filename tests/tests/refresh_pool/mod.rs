//! Refresh over the pool: its group is simulated, and every call goes through the SDK.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod broken_off;
mod ending;
mod filling;
mod group;
mod hearing;
mod large;
mod lease;
mod packages;
mod scaling;
mod support;
