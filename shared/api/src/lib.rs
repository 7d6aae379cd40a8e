//! What every HTTP function shares, so that Haulout answers as one API: problems (RFC 9457), strict reading of
//! requests, the bearer token, request ids, paging, CORS, and the adapter to API Gateway's events.
//!
//! A function gives [`app`] its routes and gets back the whole service; [`gateway::run`] serves it in Lambda,
//! and tests call the same service.

mod app;
pub mod auth;
pub mod cors;
mod duplicates;
pub mod gateway;
pub mod headers;
pub mod json;
mod observe;
pub mod openapi;
pub mod page;
pub mod path;
pub mod problem;
pub mod query;
pub mod routes;
mod token;

pub use self::{
    app::{Conventions, app},
    auth::{Auth, Caller},
    cors::Cors,
    headers::{IdempotencyKey, Prefer},
    json::Json,
    observe::RequestId,
    path::Path,
    problem::{Code, Problem},
    query::Query,
};
