//! Secrets Manager.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;

use crate::error::AwsError;

/// A secret's value. Its `Debug` form says nothing, so that it cannot reach a log by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Reads and writes secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// A client; nothing is fetched yet.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// The current version of a secret's text (`GetSecretValue`, stage AWSCURRENT).
    ///
    /// # Errors
    /// What AWS answered, or that the secret holds bytes instead of text.
    pub async fn get(&self, secret_id: &str) -> Result<Secret, AwsError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(secret_id)
            .send()
            .await
            .map_err(|error| AwsError::new("GetSecretValue", error))?;
        answer
            .secret_string
            .map(Secret)
            .ok_or_else(|| AwsError::incomplete("GetSecretValue", "SecretString"))
    }

    /// Gives a secret another value (`PutSecretValue`), which becomes the current one.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn put(&self, secret_id: &str, value: &Secret) -> Result<(), AwsError> {
        self.client
            .put_secret_value()
            .secret_id(secret_id)
            .secret_string(value.expose())
            .send()
            .await
            .map_err(|error| AwsError::new("PutSecretValue", error))?;
        Ok(())
    }
}
