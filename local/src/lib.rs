//! The local stack: simulated machines, a Walrus aggregator, an AWS emulator and the deployed template.

pub mod demo;
pub mod sim;
pub mod stack;
pub mod walrus;
