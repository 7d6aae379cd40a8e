//! Request headers that mean something to more than one operation.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};

use crate::problem::{Code, Problem};

/// The longest a caller may ask to wait, in seconds: API Gateway gives up after 30.
pub const MAX_WAIT_SECONDS: u64 = 25;

/// The longest idempotency key, in characters.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;

const PREFER: &str = "prefer";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `Prefer` (RFC 7240). Preferences we do not know are ignored, as the RFC asks; a `wait` that cannot be kept is
/// refused, because the caller will hold the connection open for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `wait=N`: how long the caller would rather wait for the end than get a 202.
    pub wait: Option<Duration>,
}

impl Prefer {
    /// Reads the header.
    ///
    /// # Errors
    /// A 400 when `wait` is not a whole number from 0 to [`MAX_WAIT_SECONDS`].
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        for value in headers.get_all(PREFER) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for preference in split_outside_quotes(&text, ',') {
                let Some(main) = split_outside_quotes(preference, ';').next() else {
                    continue;
                };
                let (name, value) = main.split_once('=').unwrap_or((main, ""));
                // The first of several counts (RFC 7240, section 2).
                if name.trim().eq_ignore_ascii_case("wait") {
                    return wait(value.trim()).map(|wait| Self { wait: Some(wait) });
                }
            }
        }
        Ok(Self::default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Prefer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}

fn wait(value: &str) -> Result<Duration, Problem> {
    let digits = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    let seconds = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|seconds| *seconds <= MAX_WAIT_SECONDS);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let detail = format!(
            "Header Prefer: wait={value} is not a whole number of seconds from 0 to {MAX_WAIT_SECONDS}."
        );
        Problem::new(Code::InvalidHeader, detail)
    })
}

/// Splits at a separator that is not inside a quoted string.
fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        let literal = escaped;
        escaped = quoted && c == '\\' && !literal;
        if c == '"' && !literal {
            quoted = !quoted;
        }
        c == separator && !quoted
    })
}

/// `Idempotency-Key`: by repeating it, a caller asks for the first answer again instead of a second effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    /// Reads the header.
    ///
    /// # Errors
    /// A 400 unless it is 1 to [`MAX_IDEMPOTENCY_KEY`] visible ASCII characters, once.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let valid = values.next().is_none()
            && (1..=MAX_IDEMPOTENCY_KEY).contains(&value.len())
            && value.as_bytes().iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if valid => Ok(Self(Some(key.to_owned()))),
            _ => Err(Problem::new(
                Code::InvalidHeader,
                format!(
                    "Header Idempotency-Key: send it once, with 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters (a UUID will do)."
                ),
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}
