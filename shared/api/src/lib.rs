//! What every HTTP function shares, so that Haulout answers as one API: problems (RFC 9457), strict reading of
//! requests, bearer tokens and roles, the audit, request ids, paging, CORS, and the adapter to API Gateway's events.
//!
//! A function gives [`app`] its routes and gets back the whole service; [`gateway::run`] serves it in Lambda,
//! and tests call the same service.

mod address;
mod app;
mod audit;
pub mod auth;
mod caller;
pub mod cors;
mod duplicates;
pub mod gateway;
pub mod headers;
pub mod json;
pub mod kept;
mod kept_keys;
#[cfg(test)]
mod kept_keys_tests;
mod kept_sessions;
pub mod keys;
#[cfg(test)]
mod keys_tests;
mod observe;
pub mod openapi;
pub mod page;
pub mod path;
pub mod problem;
pub mod query;
#[cfg(feature = "registry")]
pub mod registry;
pub mod routes;
pub mod service;
mod token;
#[cfg(test)]
mod token_tests;

pub use self::{
    address::SourceAddress,
    app::{Conventions, app},
    audit::Acting,
    auth::Auth,
    caller::Caller,
    cors::Cors,
    headers::{IdempotencyKey, Prefer},
    json::{Json, LargeJson},
    observe::RequestId,
    path::Path,
    problem::{Code, Problem},
    query::Query,
};
