//! Path parameters.

use axum::extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// The path's parameters, as in axum; one that does not parse is a 400 that names it.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(refusal)
    }
}

fn refusal(rejection: PathRejection) -> Problem {
    let PathRejection::FailedToDeserializePathParams(error) = rejection else {
        return Problem::internal(rejection);
    };
    let detail = match error.kind() {
        ErrorKind::Message(message) | ErrorKind::DeserializeError { message, .. } => {
            format!("Path: {message}.")
        }
        ErrorKind::ParseError { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. }
        | ErrorKind::ParseErrorAtKey { value, .. } => {
            format!("Path: '{value}' is not what belongs there.")
        }
        ErrorKind::InvalidUtf8InPathParam { key } => {
            format!("Path parameter `{key}` is not UTF-8 once its percent-encoding is undone.")
        }
        _ => return Problem::internal(error),
    };
    Problem::new(Code::InvalidPath, detail)
}
