//! Settings of a deployed function: its environment variables, read once at start.

use std::{env, str::FromStr};

use haulout_domain::poll::Deadlines;

/// A variable that is missing or makes no sense. The deployment is wrong; the text says where.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// Not set, or empty.
    #[error("environment variable {0} is not set: deploy the function with template.yaml")]
    Missing(&'static str),
    /// Set to something that is not a number.
    #[error("environment variable {name} is not a number: '{value}'")]
    NotANumber {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
}

/// A variable that must be set.
pub fn required(name: &'static str) -> Result<String, EnvError> {
    optional(name).ok_or(EnvError::Missing(name))
}

/// A variable that may be missing or empty.
pub fn optional(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// A list separated by commas; empty when the variable is not set.
pub fn list(name: &'static str) -> Vec<String> {
    optional(name)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A number, or its default when the variable is not set.
pub fn number<N: FromStr>(name: &'static str, default: N) -> Result<N, EnvError> {
    optional(name).map_or(Ok(default), |value| {
        value
            .trim()
            .parse()
            .map_err(|_| EnvError::NotANumber { name, value })
    })
}

/// `HAULOUT_DEPLOYMENT`: the naming prefix, and the value of the tag by which the deployment's instances are known.
pub fn deployment() -> String {
    optional("HAULOUT_DEPLOYMENT").unwrap_or_else(|| "haulout".to_owned())
}

/// `HAULOUT_RUNNING_TIMEOUT_SECONDS`, `HAULOUT_AGENT_TIMEOUT_SECONDS`, `HAULOUT_COMMAND_TIMEOUT_SECONDS`.
pub fn deadlines() -> Result<Deadlines, EnvError> {
    let default = Deadlines::default();
    Ok(Deadlines {
        running_seconds: number("HAULOUT_RUNNING_TIMEOUT_SECONDS", default.running_seconds)?,
        agent_seconds: number("HAULOUT_AGENT_TIMEOUT_SECONDS", default.agent_seconds)?,
        command_seconds: number("HAULOUT_COMMAND_TIMEOUT_SECONDS", default.command_seconds)?,
    })
}
