//! Client tokens: the same token with the same parameters is the same request, whenever it comes and whatever became of
//! its result; with other parameters it is an error.

use super::errors;
use super::query::Params;
use crate::sim::answer::ApiError;
use crate::sim::ids;
use crate::sim::state::{Token, World};

/// EC2's limit on a token's length.
const MAX_TOKEN: usize = 64;

/// The client token of a request; an empty one is none.
pub(super) fn client_token(params: &Params) -> Result<Option<&str>, ApiError> {
    let Some(token) = params.get("ClientToken").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.len() > MAX_TOKEN || !token.is_ascii() {
        return Err(errors::invalid(format!(
            "A client token has at most {MAX_TOKEN} ASCII characters."
        )));
    }
    Ok(Some(token))
}

/// The ids that an earlier request with this token made.
pub(super) fn recall(
    world: &World,
    action: &str,
    token: &str,
    params: &Params,
) -> Result<Option<Vec<String>>, ApiError> {
    match world.tokens.get(&key(action, token)) {
        None => Ok(None),
        Some(known) if known.parameters == fingerprint(params) => Ok(Some(known.resources.clone())),
        Some(_) => Err(errors::idempotent_mismatch()),
    }
}

/// Notes what a request with this token made.
pub(super) fn remember(
    world: &mut World,
    action: &str,
    token: &str,
    params: &Params,
    resources: Vec<String>,
) {
    let token_record = Token {
        parameters: fingerprint(params),
        resources,
    };
    world.tokens.insert(key(action, token), token_record);
}

fn key(action: &str, token: &str) -> String {
    format!("{action}/{token}")
}

/// Digest of all parameters; the token itself is the same anyway.
fn fingerprint(params: &Params) -> String {
    let mut text = String::new();
    for (name, value) in params.iter() {
        // Lengths keep two parameters from reading like one.
        text.extend([name, "=", &value.len().to_string(), ":", value, "\n"]);
    }
    ids::digest(&text)
}
