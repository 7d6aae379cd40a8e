//! How a step fails. The error's type is what `Retry` and `Catch` in the state machine read.

use haulout_aws::{
    error::AwsError, registry::RegistryError, store::StoreError, telemetry::error_chain,
};
use haulout_domain::{
    aws_code::Meaning,
    failure::{Failure, FailureCode},
};
use lambda_runtime::Diagnostic;

/// A step that did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// AWS said no, or nothing.
    #[error("an AWS call failed")]
    Aws(#[from] AwsError),
    /// The store did.
    #[error("the record could not be read or written")]
    Store(#[from] StoreError),
    /// The registry did.
    #[error("the registry could not be read or written")]
    Registry(#[from] RegistryError),
    /// The machine failed; repeating will not help.
    #[error("provisioning failed")]
    Failed(#[from] Failure),
}

impl StepError {
    /// The name the state machine sees: `Throttled`, `Unavailable` and `Conflict` are repeated, everything
    /// else is the code of the failure.
    pub fn name(&self) -> String {
        let aws = match self {
            Self::Aws(error)
            | Self::Store(StoreError::Aws(error))
            | Self::Registry(RegistryError::Aws(error)) => error,
            Self::Store(StoreError::Conflict(_)) | Self::Registry(RegistryError::Conflict(_)) => {
                return "Conflict".to_owned();
            }
            Self::Store(StoreError::Shape(_)) | Self::Registry(RegistryError::Shape(_)) => {
                return FailureCode::StepFailed.as_str().to_owned();
            }
            Self::Failed(failure) => return failure.code.to_string(),
        };
        match aws.meaning {
            Meaning::Throttled => "Throttled".to_owned(),
            Meaning::Unavailable => "Unavailable".to_owned(),
            Meaning::Final(code) => code.as_str().to_owned(),
        }
    }

    /// What happened, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Aws(error) => error_chain(error),
            Self::Store(error) => error_chain(error),
            Self::Registry(error) => error_chain(error),
            Self::Failed(failure) => failure.message.clone(),
        }
    }
}

impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Self {
            error_type: error.name(),
            error_message: error.message(),
        }
    }
}
