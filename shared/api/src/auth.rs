//! Who is calling, and whether the caller may. Every route but the public ones of [`haulout_domain::access`] needs a
//! bearer token (RFC 6750), or on the second API a signature ([`crate::service`]), and a caller with a role for it.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use haulout_aws::{clock::Clock, directory::Directory, secrets::Secrets};
use haulout_domain::access::{self, Access};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
    request::Parts,
};

use crate::{
    audit::Acting,
    keys::TokenError,
    observe::record_caller,
    problem::{Code, Problem},
    service::{Entrance, ServiceApi},
    token::{Aws, Tokens},
};

pub use crate::{
    caller::Caller,
    token::{Asked, TokenStore},
};

/// When to come back while tokens cannot be checked, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;
/// Public routes whose caller counts all the same, if there is one.
const WITH_CALLER: &[(&str, &str)] = &[("POST", "/register")];

/// Why a token does not say who calls.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is no token of ours, or not any more.
    #[error("the token is not accepted")]
    Rejected(#[from] TokenError),
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

    /// Signed tokens of sessions that the directory knows, for this issuer. The public keys are in a secret. Nothing is
    /// fetched before it is needed.
    pub fn tokens(
        directory: Directory,
        secrets: Secrets,
        jwks_secret_id: impl Into<String>,
        issuer: impl Into<String>,
        clock: Clock,
    ) -> Self {
        let store = Aws {
            directory,
            secrets,
            jwks_secret_id: jwks_secret_id.into(),
        };
        Self::store(store, issuer, clock)
    }

    /// Signed tokens, with keys and sessions from anywhere.
    pub fn store(store: impl TokenStore, issuer: impl Into<String>, clock: Clock) -> Self {
        Self::new(Tokens::new(store, issuer.into(), clock))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

/// What each route asks for, by method and path template. A route for which there is nothing is closed.
#[derive(Debug, Clone, Copy)]
pub struct Rules(pub fn(&str, &str) -> Option<Access>);

/// [`access::ROUTES`].
impl Default for Rules {
    fn default() -> Self {
        Self(access::access_of)
    }
}

/// What the layer decides by.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// Without it only public routes answer.
    pub(crate) auth: Option<Auth>,
    pub(crate) service: Option<ServiceApi>,
    pub(crate) rules: Rules,
}

/// Lets a request through when its route is public, or its token is good and its caller has a role for the route.
pub(crate) async fn authenticate(
    State(door): State<Door>,
    request: Request,
    next: Next,
) -> Response {
    // OPTIONS only tells what openapi.json tells everybody; no handler takes it.
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let (mut head, body) = request.into_parts();
    match door.open(&head).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                head.extensions.insert(caller);
            }
            next.run(Request::from_parts(head, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Door {
    /// Who comes in; on public routes of the first API nobody needs to be known.
    async fn open(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
        let method = request.method.as_str();
        let template = request.extensions.get::<MatchedPath>();
        let template = template.map_or("", MatchedPath::as_str);
        let access = (self.rules.0)(method, template);
        let signed = self.signed(request)?;
        if access == Some(Access::Public) && signed.is_none() {
            let says_who = WITH_CALLER.contains(&(method, template))
                && request.headers.contains_key(AUTHORIZATION);
            if !says_who {
                return Ok(None);
            }
        }
        let caller = match signed {
            Some(caller) => caller,
            None => self.caller(&request.headers).await?,
        };
        record_caller(&caller.name);
        if let Some(acting) = request.extensions.get::<Acting>() {
            acting.is(&caller.name);
        }
        match access {
            Some(access) => caller.may(access)?,
            None => return Err(closed(method, template)),
        }
        Ok(Some(caller))
    }

    /// Who signed, where the request came through the second API; a token counts for nothing there.
    fn signed(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
        let entrance = request.extensions.get::<Entrance>();
        match (&self.service, entrance) {
            (Some(service), Some(entrance)) if service.is_entered(entrance) => {
                service.caller(entrance).map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer(headers)?;
        let Some(Auth(auth)) = &self.auth else {
            return Err(invalid_token());
        };
        auth.authenticate(token).await.map_err(|error| match error {
            AuthError::Rejected(reason) => invalid_token().because(reason),
            AuthError::Unavailable(cause) => {
                let detail = "Tokens cannot be checked just now. Send the request again after the time in Retry-After.";
                Problem::unavailable(detail, RETRY_AFTER_SECONDS).because(cause)
            }
        })
    }
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        let detail = "This needs a token: get one with POST /login, and send the header Authorization: Bearer <token>.";
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
fn is_bearer_token(text: &str) -> bool {
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
    let detail = "The token is not accepted: it is wrong, has expired after its 10 hours, or was withdrawn. Get another one with POST /login.";
    let challenge_text = "Bearer realm=\"haulout\", error=\"invalid_token\"";
    challenge(Code::InvalidToken, detail, challenge_text)
}

fn challenge(code: Code, detail: &str, challenge: &'static str) -> Problem {
    Problem::new(code, detail).with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// A route whose access nobody wrote down.
fn closed(method: &str, template: &str) -> Problem {
    Problem::new(
        Code::Forbidden,
        "This is closed to everybody: nobody has said yet who may use it. Report it with the request_id.",
    )
    .because(format!("{method} {template} is missing in access::ROUTES"))
}
