//! Integration tests: one binary, a module per subject.

mod api;
mod aws;
mod console;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod e2e;
mod history;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod house;
mod matrix;
mod openapi;
mod provision;
mod refresh;
mod sim;
mod staging;
mod store;
mod verdict;
mod walker;
