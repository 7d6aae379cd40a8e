//! Integration tests: one binary, a module per subject.

mod api;
mod console;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod e2e;
mod history;
#[expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
mod house;
mod matrix;
mod openapi;
mod provision;
mod sim;
mod staging;
#[expect(clippy::large_futures, reason = "the records in them are whole")]
mod store;
