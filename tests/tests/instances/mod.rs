//! The machines' API on its own: what is answered, written and asked of AWS. How machines come up is tested elsewhere.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod checks;
mod concurrency;
mod drain;
mod figures;
mod lives;
mod options;
mod owners;
mod packages;
mod power;
mod rails;
mod support;
mod views;
