//! JSON bodies. Reading is strict: what an operation does not know is refused by name instead of ignored, so that
//! a misspelt field never silently means its default.

use axum::{
    body::Body,
    extract::{FromRequest, OptionalFromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::error::Category;

use crate::{
    duplicates::NoDuplicates,
    problem::{Code, Problem},
};

/// The largest body an operation reads, in bytes. API Gateway's own limit is 10 MB.
pub const MAX_BODY: usize = 64 * 1024;

/// The largest body of an operation that takes long lists, in bytes.
pub const MAX_LARGE_BODY: usize = 1024 * 1024;

/// A JSON body: read from a request, or sent as an answer. Give `T` `#[serde(deny_unknown_fields)]`.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        let body = read(request.into_body(), MAX_BODY).await?;
        parse(&body).map(Self)
    }
}

/// A JSON body that may be as large as [`MAX_LARGE_BODY`].
#[derive(Debug, Clone, Copy)]
pub struct LargeJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        let body = read(request.into_body(), MAX_LARGE_BODY).await?;
        parse(&body).map(Self)
    }
}

/// A body that may be left out, or null.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Problem> {
        let (head, body) = request.into_parts();
        let body = read(body, MAX_BODY).await?;
        if is_empty(&body) || body.trim_ascii() == b"null" {
            return Ok(None);
        }
        check_content_type(&head.headers)?;
        parse(&body).map(Self).map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// JSON by its name, or by no name at all. `curl -d` says that its data is a form; it is read as what it is.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let json = essence.is_empty()
        || essence == "application/json"
        || essence == "application/x-www-form-urlencoded"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    let detail = format!(
        "Content-Type '{essence}' is not read here: send JSON, with Content-Type: application/json."
    );
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

async fn read(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            Code::BodyTooLarge,
            format!("The body is larger than {most} bytes: send less."),
        )),
        Err(error) => Err(Problem::new(
            Code::InvalidRequest,
            "The body broke off: send the request again.",
        )
        .because(error)),
    }
}

fn is_empty(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

/// Reads a JSON text as `T`.
///
/// # Errors
/// A 400 that names the place and the field.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if is_empty(body) {
        let detail = "The body is empty: send a JSON object ({} where every field is optional).";
        return Err(Problem::new(Code::InvalidJson, detail));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        let detail =
            format!("The body is not UTF-8: the byte at offset {place} does not belong there.");
        Problem::new(Code::InvalidJson, detail)
    })?;
    read_as::<NoDuplicates>(text)?;
    // Serde would also take an array, its items as the fields in their order.
    if !text.trim_start().starts_with('{') {
        let detail = "Body: expected an object: send {…} with the fields by name.";
        return Err(Problem::new(Code::InvalidBody, detail));
    }
    read_as(text)
}

fn read_as<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| refusal(".", &error))?;
    Ok(value)
}

fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let reason = plain(text.strip_suffix(&place).unwrap_or(&text));
    if error.classify() != Category::Data {
        let detail = format!("The body is not JSON: {reason}{place}.");
        return Problem::new(Code::InvalidJson, detail);
    }
    let field = match path {
        "." | "?" => String::new(),
        path => format!(", field `{path}`"),
    };
    Problem::new(Code::InvalidBody, format!("Body{field}: {reason}{place}."))
}

/// Rust's names for what was expected, in JSON's.
pub(crate) fn plain(reason: &str) -> String {
    const NAMES: &[(&[&str], &str)] = &[
        (
            &["u8", "u16", "u32", "u64", "usize"],
            "a non-negative whole number",
        ),
        (&["i8", "i16", "i32", "i64", "isize"], "a whole number"),
        (&["f32", "f64"], "a number"),
        (&["a map"], "an object"),
        (&["a sequence"], "an array"),
    ];
    let Some((start, expected)) = reason.rsplit_once("expected ") else {
        return reason.to_owned();
    };
    let name = NAMES
        .iter()
        .find(|(rust, _)| rust.contains(&expected))
        .map_or_else(
            || {
                if expected.starts_with("struct ") {
                    "an object"
                } else {
                    expected
                }
            },
            |(_, json)| json,
        );
    format!("{start}expected {name}")
}
