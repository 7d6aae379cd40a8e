//! Auto Scaling's errors that more than one action answers, and its reading of parameters.

use std::str::FromStr;

use crate::sim::answer::ApiError;
use crate::sim::ec2::Params;

pub(super) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

pub(super) fn no_group(name: &str) -> ApiError {
    validation(format!(
        "AutoScalingGroup name not found - AutoScalingGroup: {name} not found"
    ))
}

pub(super) fn no_instance(id: &str) -> ApiError {
    validation(format!(
        "Instance Id not found - No managed instance found for instance ID: {id}"
    ))
}

/// A parameter that must be there.
pub(super) fn required<'p>(params: &'p Params, name: &str) -> Result<&'p str, ApiError> {
    let given = params.get(name).filter(|value| !value.is_empty());
    given.ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            member(name)
        ))
    })
}

/// A number or another parsed value.
pub(super) fn parsed<T: FromStr>(params: &Params, name: &str) -> Result<Option<T>, ApiError> {
    let parse = |value: &str| {
        value.parse().map_err(|_| {
            validation(format!(
                "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint",
                member(name)
            ))
        })
    };
    params.get(name).map(parse).transpose()
}

/// A parsed value that must be there.
pub(super) fn needed<T: FromStr>(params: &Params, name: &str) -> Result<T, ApiError> {
    required(params, name)?;
    parsed(params, name)?.ok_or_else(|| validation(format!("{name} is required")))
}

/// The member that a parameter is in the words of the service's model: it begins with a small letter.
fn member(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
