//! A small function with one route of each kind.

use std::collections::BTreeMap;

use axum::{
    Extension, Router,
    routing::{get, post},
};
use haulout_api::{
    Caller, Code, Conventions, Cors, IdempotencyKey, Json, Path, Prefer, Problem, Query,
    SourceAddress, auth::Rules, page::Limit,
};
use haulout_domain::access::Access;
use haulout_tests::callers::Callers;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use haulout_tests::callers::TOKEN;

/// A body with every kind of field.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thing {
    pub name: String,
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub colour: Option<Colour>,
    #[serde(default)]
    pub parts: Vec<Part>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Colour {
    Red,
    Blue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub weight: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    colour: Option<Colour>,
    limit: Option<Limit>,
}

async fn create(
    Extension(caller): Extension<Caller>,
    prefer: Prefer,
    IdempotencyKey(key): IdempotencyKey,
    Json(thing): Json<Thing>,
) -> Json<Value> {
    let wait = prefer.wait.map(|wait| wait.as_secs());
    Json(json!({"caller": caller.name, "key": key, "wait": wait, "thing": thing}))
}

async fn list(Query(list): Query<List>) -> Json<Value> {
    Json(json!({"colour": list.colour, "limit": list.limit.unwrap_or_default().get()}))
}

async fn read(Path(id): Path<u32>) -> Json<Value> {
    Json(json!({"id": id}))
}

async fn echo(Path(text): Path<String>) -> Json<Value> {
    Json(json!({"text": text}))
}

async fn who(caller: Option<Extension<Caller>>) -> Json<Value> {
    Json(json!({"caller": caller.map(|Extension(caller)| caller.name)}))
}

async fn address(SourceAddress(address): SourceAddress) -> String {
    address
}

async fn fails() -> Problem {
    Problem::internal(std::io::Error::other("the password is hunter2"))
}

async fn throttled() -> Problem {
    Problem::new(Code::AwsThrottled, "Slow down.").retry_after(7)
}

async fn panics() -> Json<Value> {
    panic!("the password is hunter2")
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/things", post(create).get(list))
        .route("/things/{id}", get(read))
        .route("/echo/{text}", get(echo))
        .route("/fails", get(fails))
        .route("/throttled", get(throttled))
        .route("/panics", get(panics))
        .route("/health", get(async || "fine"))
        .route("/register", post(who))
        .route("/address", get(address))
        .route("/forgotten", get(async || "open"))
}

/// What each route asks for, but for one that was forgotten.
fn rules(method: &str, template: &str) -> Option<Access> {
    match (method, template) {
        (_, "/health" | "/register") => Some(Access::Public),
        ("POST", "/things") => Some(Access::Use),
        (_, "/forgotten") => None,
        _ => Some(Access::SignedIn),
    }
}

/// The function with a token and one allowed origin.
pub(crate) fn app() -> Router {
    let conventions = Conventions {
        auth: Some(Callers::cast().auth()),
        rules: Rules(rules),
        cors: Cors::new(["https://console.example".to_owned()]).unwrap(),
        ..Conventions::default()
    };
    haulout_api::app(routes(), conventions)
}
