//! The HTTP conventions, tried on a function made for it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod auth;
mod body;
mod cors;
mod gateway;
mod headers;
mod observability;
mod page;
mod problems;
mod properties;
mod query;
mod support;
