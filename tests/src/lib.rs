//! What the tests stand on: a deployment in one process, on virtual time, with faults on demand.

pub mod agenda;
pub mod alone;
pub mod asl;
pub mod call;
pub mod callers;
pub mod client;
pub mod dynamo;
pub mod faults;
pub mod gate;
pub mod gateway;
pub mod invocation;
pub mod jsonata;
pub mod lambda;
pub mod life;
pub mod measure;
pub mod packages;
pub mod random;
pub mod s3;
pub mod settings;
pub mod sns;
pub mod stepfunctions;
pub mod template;
pub mod verdict;
pub mod walker;
pub mod wire;
pub mod world;
