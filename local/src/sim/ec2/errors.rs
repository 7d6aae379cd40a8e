//! EC2's errors that more than one action answers.

use crate::sim::answer::ApiError;

pub(super) fn missing(parameter: &str) -> ApiError {
    ApiError::client(
        "MissingParameter",
        format!("The request must contain the parameter {parameter}"),
    )
}

pub(super) fn invalid_value(value: &str, parameter: &str) -> ApiError {
    ApiError::client(
        "InvalidParameterValue",
        format!("Value ({value}) for parameter {parameter} is invalid."),
    )
}

/// An invalid parameter value in other words.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterValue", message)
}

pub(super) fn combination(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterCombination", message)
}

pub(super) fn malformed(code: &'static str, id: &str) -> ApiError {
    ApiError::client(code, format!("Invalid id: \"{id}\""))
}

/// Unknown ids, all of them named, as EC2 does.
pub(super) fn not_found(code: &'static str, what: &str, ids: &[String]) -> ApiError {
    let message = match ids {
        [one] => format!("The {what} ID '{one}' does not exist"),
        many => format!("The {what} IDs '{}' do not exist", many.join(", ")),
    };
    ApiError::client(code, message)
}

pub(super) fn wrong_state(id: &str, what: &str) -> ApiError {
    ApiError::client(
        "IncorrectInstanceState",
        format!("The instance '{id}' is not in a state from which it can be {what}."),
    )
}

pub(super) fn idempotent_mismatch() -> ApiError {
    ApiError::client(
        "IdempotentParameterMismatch",
        "The client token was used before, by a request with other parameters.",
    )
}
