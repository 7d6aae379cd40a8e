//! Reading requests: JSON into what an action needs, with Systems Manager's errors; and paging.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sim::answer::ApiError;
use crate::sim::ids;

/// How many results a page may have.
const MAX_PAGE: usize = 50;

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationException", message)
}

/// The member of that name; absent and null are the same.
pub(super) fn optional<T: DeserializeOwned>(
    body: &Value,
    name: &str,
) -> Result<Option<T>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|error| {
                ApiError::client("SerializationException", format!("{name}: {error}"))
            }),
    }
}

pub(super) fn required<T: DeserializeOwned>(body: &Value, name: &str) -> Result<T, ApiError> {
    optional(body, name)?.ok_or_else(|| {
        invalid(format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"))
    })
}

/// Refuses what is not an instance id; whether there is such an instance is another matter.
pub(super) fn check_instance_id(id: &str) -> Result<(), ApiError> {
    if ids::is_resource(id, "i-") {
        Ok(())
    } else {
        Err(invalid(format!(
            "1 validation error detected: Value '{id}' at 'instanceId' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: (^i-(\\w{{8}}|\\w{{17}})$)|(^mi-\\w{{17}}$)"
        )))
    }
}

/// Cuts `items` to the page asked for. The token is the place to go on from.
pub(super) fn page<T>(
    body: &Value,
    items: Vec<T>,
    min: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let limit = optional::<usize>(body, "MaxResults")?.unwrap_or(MAX_PAGE);
    if !(min..=MAX_PAGE).contains(&limit) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{limit}' at 'maxResults' failed to satisfy constraint: Member must have \
             value between {min} and {MAX_PAGE}"
        )));
    }
    let from = match optional::<String>(body, "NextToken")?.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|number| number.parse::<usize>().ok())
            .ok_or_else(|| {
                ApiError::client("InvalidNextToken", "The specified token isn't valid.")
            })?,
    };
    let more = items.len() > from.saturating_add(limit);
    let page = items.into_iter().skip(from).take(limit).collect();
    Ok((page, more.then(|| format!("from-{}", from + limit))))
}
