//! Integration tests: one binary, a module per subject.

mod access;
mod api;
mod aws;
mod concurrency;
mod console;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod e2e;
mod environment;
mod events;
mod history;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod house;
mod iam;
mod identity;
mod instances;
mod matrix;
mod mission;
mod openapi;
mod packages;
mod pool;
mod provision;
#[expect(clippy::panic, reason = "tests fail by panicking")]
mod race;
mod refresh;
#[expect(clippy::panic, reason = "tests fail by panicking")]
mod refresh_pool;
mod sequences;
mod sim;
mod soak;
mod staging;
mod store;
mod strays;
mod verdict;
mod walker;
