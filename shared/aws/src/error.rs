//! One error for every AWS call: what was asked, what AWS said, and whether repeating may help.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use haulout_domain::{
    aws_code::{self, Meaning},
    failure::{Failure, FailureCode},
};

/// A failed AWS call.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct AwsError {
    /// The API action, such as `RunInstances`.
    pub operation: &'static str,
    /// What it means.
    pub meaning: Meaning,
    /// AWS's error code, when an answer came.
    pub code: Option<String>,
    text: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl AwsError {
    /// Reads an SDK error. Timeouts, broken connections and unreadable answers may have had their effect:
    /// they count as [`Meaning::Unavailable`], and whatever is repeated must be idempotent.
    pub fn new<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        if let SdkError::ServiceError(context) = &error
            && let Some(code) = context.err().code()
        {
            let meta = context.err().meta();
            let message = meta.message().unwrap_or("no message");
            let request_id = meta.extra("aws_request_id").unwrap_or("unknown");
            return Self {
                operation,
                meaning: Self::with_status(aws_code::meaning(code), status),
                code: Some(code.to_owned()),
                text: format!("{code}: {message} (AWS request id {request_id})"),
                source: None,
            };
        }
        let (meaning, text) = match &error {
            SdkError::ConstructionFailure(_) => (
                Meaning::Final(FailureCode::AwsError),
                "the request could not be built",
            ),
            SdkError::TimeoutError(_) => (Meaning::Unavailable, "no answer in time"),
            SdkError::DispatchFailure(_) => (Meaning::Unavailable, "the connection failed"),
            _ => (
                Self::with_status(Meaning::Unavailable, status),
                "an answer that could not be read",
            ),
        };
        Self {
            operation,
            meaning,
            code: None,
            text: text.to_owned(),
            source: Some(Box::new(error)),
        }
    }

    /// An answer that lacks what its API promises.
    pub fn incomplete(operation: &'static str, missing: &str) -> Self {
        Self {
            operation,
            meaning: Meaning::Unavailable,
            code: None,
            text: format!("the answer lacks {missing}"),
            source: None,
        }
    }

    /// An unknown code with a server's status is AWS's own trouble.
    fn with_status(meaning: Meaning, status: Option<u16>) -> Meaning {
        match (meaning, status) {
            (Meaning::Final(FailureCode::AwsError), Some(500..)) => Meaning::Unavailable,
            (Meaning::Final(FailureCode::AwsError), Some(429)) => Meaning::Throttled,
            (meaning, _) => meaning,
        }
    }

    /// Repeating it may help.
    pub fn is_transient(&self) -> bool {
        !matches!(self.meaning, Meaning::Final(_))
    }

    /// AWS answered with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What it makes of a machine that meets it for good.
    pub fn failure(&self) -> Failure {
        let code = match self.meaning {
            Meaning::Throttled => FailureCode::AwsThrottled,
            Meaning::Unavailable => FailureCode::AwsUnavailable,
            Meaning::Final(code) => code,
        };
        Failure::new(code, self.to_string())
    }
}
