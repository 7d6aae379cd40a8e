//! Who is calling. Every route but those of [`crate::routes::PUBLIC`] needs a bearer token (RFC 6750).

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use haulout_aws::{clock::Clock, secrets::Secrets};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

pub use crate::token::TokenSource;
use crate::{
    observe::record_caller,
    problem::{Code, Problem},
    routes,
    token::{OneToken, SecretsManager},
};

/// When to come back while tokens cannot be checked, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The authenticated caller; a request extension on every route that is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's name: what idempotency keys and records are scoped to.
    pub name: String,
}

impl Caller {
    /// The holder of the deployment's token.
    pub fn admin() -> Self {
        Self {
            name: "admin".to_owned(),
        }
    }
}

/// Why a token does not say who calls.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is no token of ours, or not any more.
    #[error("the token is not accepted")]
    Rejected,
    /// It cannot be checked now.
    #[error("tokens cannot be checked")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// Tells callers by their tokens.
pub trait Authenticate: Send + Sync + 'static {
    /// The caller a token belongs to. `token` has the form RFC 6750 gives tokens.
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>>;
}

/// A way to tell callers. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<dyn Authenticate>);

impl Auth {
    /// Any way.
    pub fn new(authenticate: impl Authenticate) -> Self {
        Self(Arc::new(authenticate))
    }

    /// The one token a secret in Secrets Manager holds. Nothing is fetched before it is needed.
    pub fn secret(secrets: Secrets, secret_id: impl Into<String>) -> Self {
        let secret_id = secret_id.into();
        Self::source(SecretsManager { secrets, secret_id }, Clock::system())
    }

    /// The one token of a source.
    pub fn source(source: impl TokenSource, clock: Clock) -> Self {
        Self::new(OneToken::new(source, clock))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

/// Lets a request through when its route is public or its token is good. Without an [`Auth`] only public routes answer.
pub(crate) async fn authenticate(
    State(auth): State<Option<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let public = template.is_some_and(|template| routes::is_public(request.method(), template));
    // OPTIONS only tells what openapi.json tells everybody; no handler takes it.
    if public || request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    match caller(auth.as_ref(), request.headers()).await {
        Ok(caller) => {
            record_caller(&caller.name);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(auth: Option<&Auth>, headers: &HeaderMap) -> Result<Caller, Problem> {
    let token = bearer(headers)?;
    let Some(Auth(auth)) = auth else {
        return Err(invalid_token());
    };
    auth.authenticate(token).await.map_err(|error| match error {
        AuthError::Rejected => invalid_token(),
        AuthError::Unavailable(cause) => {
            let detail = "Tokens cannot be checked just now. Send the request again after the time in Retry-After.";
            Problem::unavailable(detail, RETRY_AFTER_SECONDS).because(cause)
        }
    })
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        let detail = "This needs a token: send the header Authorization: Bearer <token>.";
        return Err(challenge(
            Code::MissingToken,
            detail,
            "Bearer realm=\"haulout\"",
        ));
    };
    if values.next().is_some() {
        return Err(malformed());
    }
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token
        .filter(|token| is_bearer_token(token))
        .ok_or_else(malformed)
}

/// RFC 6750, section 2.1: letters, digits and `-._~+/`, then any number of `=`.
pub(crate) fn is_bearer_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

fn malformed() -> Problem {
    let detail = "The header Authorization is not understood: send it once, as Authorization: Bearer <token>.";
    let challenge_text = "Bearer realm=\"haulout\", error=\"invalid_request\"";
    challenge(Code::InvalidToken, detail, challenge_text)
}

fn invalid_token() -> Problem {
    let detail = "The token is not accepted: it is wrong, or was replaced. The deployment's current one is in its secret.";
    let challenge_text = "Bearer realm=\"haulout\", error=\"invalid_token\"";
    challenge(Code::InvalidToken, detail, challenge_text)
}

fn challenge(code: Code, detail: &str, challenge: &'static str) -> Problem {
    Problem::new(code, detail).with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
