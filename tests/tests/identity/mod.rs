//! The function `identity` on its own: who gets a token, for how long, and who does not.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod attacks;
mod bootstrap;
mod broken;
mod keys;
mod login;
mod names;
mod passwords;
mod register;
mod support;
mod throttle;
mod users;
mod vault;
