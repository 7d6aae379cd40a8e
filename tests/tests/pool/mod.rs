//! The pool's API on its own: what is answered, written and asked of AWS. How the pool's machines come and go is
//! tested elsewhere.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod claims;
mod crowd;
mod ends;
mod owners;
mod paths;
mod size;
mod status;
mod support;
