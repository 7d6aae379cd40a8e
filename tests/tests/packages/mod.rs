//! The registry's API on its own, against the tables of template.yaml and a bucket in this process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bucket;
mod commits;
mod cut_off;
mod gets;
mod lists;
mod races;
mod reconciles;
mod registers;
mod services;
mod stageable;
mod support;
mod syncs;
mod tickets;
mod uploads;
