//! Who may do what, with tokens as they are: signed, looked up in the directory's tables, and tried at every route that
//! openapi.json has. Whose machines and claims are whose is tested with the functions that have them.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod attacks;
mod audit;
mod cost;
mod doors;
mod headers;
mod services;
mod support;
