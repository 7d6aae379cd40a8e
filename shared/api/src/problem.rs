//! Every answer that is not a success: `application/problem+json` (RFC 9457). The `type` is `about:blank`, so the
//! title is the status's own phrase; what a program should look at is `code`.

use std::{error::Error, sync::Arc};

use axum::response::{IntoResponse, Response};
use haulout_aws::error::AwsError;
use haulout_domain::aws_code::Meaning;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub const CONTENT_TYPE_PROBLEM: &str = "application/problem+json";

/// How much of a detail is sent, in characters: details repeat what a caller sent.
const MAX_DETAIL: usize = 1_000;
/// When to come back after AWS asked us to slow down, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Declares the codes, each with its status.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal, $code:literal;)*) => {
        /// A stable, machine-readable reason. Each belongs to one status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as callers see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status it comes with.
            pub fn status(self) -> StatusCode {
                let status = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

codes! {
    /// The request is not one HTTP allows.
    InvalidRequest = 400, "invalid_request";
    /// The body is not JSON.
    InvalidJson = 400, "invalid_json";
    /// The body is JSON, but not what the operation takes.
    InvalidBody = 400, "invalid_body";
    /// A query parameter is unknown, repeated or malformed.
    InvalidQuery = 400, "invalid_query";
    /// A path parameter is malformed.
    InvalidPath = 400, "invalid_path";
    /// A header is malformed.
    InvalidHeader = 400, "invalid_header";
    /// The cursor is not one this list gave out.
    InvalidCursor = 400, "invalid_cursor";
    /// A guard rail of the deployment says no.
    GuardRail = 400, "guard_rail";
    /// The AMI is not there, or does not fit the instance type.
    AmiInvalid = 400, "ami_invalid";
    /// The launch template is not there, or cannot be used.
    LaunchTemplateInvalid = 400, "launch_template_invalid";
    /// What was asked for cannot be launched.
    ParameterInvalid = 400, "parameter_invalid";
    /// The parts named do not make the archive; others may be named.
    InvalidParts = 400, "invalid_parts";
    /// The archive is not what was announced, or nothing that may become a package.
    PackageRefused = 400, "package_refused";
    /// No bearer token.
    MissingToken = 401, "missing_token";
    /// Not a token of ours, or not any more.
    InvalidToken = 401, "invalid_token";
    /// Username and password do not belong together.
    WrongCredentials = 401, "wrong_credentials";
    /// The caller has no role for this.
    Forbidden = 403, "forbidden";
    /// It is somebody else's.
    NotYours = 403, "not_yours";
    /// Only administrators register users here.
    RegistrationClosed = 403, "registration_closed";
    /// The package's groups or its rule say no.
    DownloadBlocked = 403, "download_blocked";
    /// Nothing is at this path.
    UnknownPath = 404, "unknown_path";
    /// No such machine.
    UnknownMachine = 404, "unknown_machine";
    /// The project has no machine.
    NoClaim = 404, "no_claim";
    /// No such user.
    UnknownUser = 404, "unknown_user";
    /// No such package.
    UnknownPackage = 404, "unknown_package";
    /// No such upload.
    UnknownUpload = 404, "unknown_upload";
    /// No such ticket.
    UnknownTicket = 404, "unknown_ticket";
    /// The path exists, the method does not.
    MethodNotAllowed = 405, "method_not_allowed";
    /// The resource's current state does not allow it.
    Conflict = 409, "conflict";
    /// EC2 does not stop one-time spot instances.
    SpotCannotStop = 409, "spot_cannot_stop";
    /// The machine has no instance yet.
    NoInstance = 409, "no_instance";
    /// The deployment is being drained: it takes no new machines.
    Draining = 409, "draining";
    /// The deployment has no pool of machines.
    NoPool = 409, "no_pool";
    /// The idempotency key came before, with another request.
    IdempotencyKeyReused = 409, "idempotency_key_reused";
    /// There is a user of that name.
    UsernameTaken = 409, "username_taken";
    /// Administrators do not do this to themselves.
    OwnAccount = 409, "own_account";
    /// The package has this version already.
    VersionExists = 409, "version_exists";
    /// The upload has ended, or is about to.
    UploadEnded = 409, "upload_ended";
    /// It was there, and its time is over.
    Expired = 410, "expired";
    /// The ticket has expired, or is somebody else's now.
    TicketRefused = 410, "ticket_refused";
    /// The body is larger than the API takes.
    BodyTooLarge = 413, "body_too_large";
    /// The body is of a type the API does not take.
    UnsupportedMediaType = 415, "unsupported_media_type";
    /// The caller has as many machines as the deployment allows.
    QuotaExceeded = 429, "quota_exceeded";
    /// Requests come too fast.
    TooManyRequests = 429, "too_many_requests";
    /// Too many wrong passwords.
    TooManyAttempts = 429, "too_many_attempts";
    /// A fault of ours.
    Internal = 500, "internal";
    /// Something Haulout depends on is not available now.
    Unavailable = 503, "unavailable";
    /// No machine of the pool is idle; another one is on its way.
    NoIdleMachine = 503, "no_idle_machine";
    /// AWS asks us to slow down.
    AwsThrottled = 503, "aws_throttled";
    /// AWS refused what Haulout asked of it; the detail carries AWS's text.
    AwsRefused = 503, "aws_refused";
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status's phrase.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What was wrong, and what to do.
    detail: String,
    /// Stable, for programs.
    code: Code,
    /// Names this request in the logs; also in the header `x-request-id`.
    #[schema(value_type = String, required)]
    request_id: Option<String>,
}

/// A request that ends in a problem. What a caller may read is `code` and `detail`; the cause is for the log.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem; `detail` says what was wrong and what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        Self(Box::new(Parts {
            code,
            detail,
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// A fault of ours. The cause is logged; the caller learns only the request id.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "Something went wrong on our side. Try again; if it stays, report it with the request_id.";
        Self::new(Code::Internal, detail).because(cause)
    }

    /// Something is not available now; `Retry-After` says when to come back.
    pub fn unavailable(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(Code::Unavailable, detail).retry_after(retry_after_seconds)
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, seconds.into())
    }

    /// With what the log should say of it. Never sent.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into().into());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the caller is told.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What the log is told.
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }

    /// The answer, naming the request. It carries the problem as an extension, for the layer that logs it.
    pub(crate) fn respond(&self, request_id: Option<&str>) -> Response {
        let Parts {
            code,
            detail,
            headers,
            ..
        } = &*self.0;
        let status = code.status();
        let body = ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.clone(),
            code: *code,
            request_id: request_id.map(str::to_owned),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let content_type = HeaderValue::from_static(CONTENT_TYPE_PROBLEM);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.headers_mut().extend(headers.iter().cloned());
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(None)
    }
}

/// A failed AWS call behind a request: worth repeating when AWS said so, else a fault of ours.
impl From<AwsError> for Problem {
    fn from(error: AwsError) -> Self {
        let (code, detail) = match error.meaning {
            Meaning::Throttled => (
                Code::AwsThrottled,
                "AWS asks us to slow down. Send the request again after the time in Retry-After.",
            ),
            Meaning::Unavailable => (
                Code::Unavailable,
                "AWS did not answer as it should. Send the request again after the time in Retry-After.",
            ),
            Meaning::Final(_) => return Self::internal(error),
        };
        Self::new(code, detail)
            .retry_after(RETRY_AFTER_SECONDS)
            .because(error)
    }
}
