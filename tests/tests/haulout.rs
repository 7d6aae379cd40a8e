//! Integration tests: one binary, a module per subject.
mod sim;
mod staging;
mod matrix;
mod launch;
mod api;
mod console;
mod openapi;
mod e2e;
mod house;
