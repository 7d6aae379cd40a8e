//! Query strings, read as strictly as bodies.

use std::collections::HashSet;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{
    json::plain,
    problem::{Code, Problem},
};

/// The query parameters. Give `T` `#[serde(deny_unknown_fields)]`; a parameter may come once.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query string as `T`.
///
/// # Errors
/// A 400 that names the parameter.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut seen = HashSet::new();
    for (name, _) in pairs {
        if let Some(name) = seen.replace(name) {
            let detail = format!("Query parameter `{name}` comes more than once: send it once.");
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
    }
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let reason = plain(&error.inner().to_string());
        let parameter = match error.path().to_string().as_str() {
            "." | "?" => String::new(),
            path => format!(" parameter `{path}`"),
        };
        Problem::new(Code::InvalidQuery, format!("Query{parameter}: {reason}."))
    })
}
