//! What to say of paths and methods nobody answers.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header::ALLOW};

use crate::problem::{Code, Problem};

/// Path templates (`/instances/{id}`) and the methods each has: what the functions behind the same API answer.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    templates: Arc<BTreeMap<String, Vec<String>>>,
    reserved: &'static [&'static str],
}

impl Paths {
    /// From templates, each with its methods in capitals.
    pub fn new(paths: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        Self {
            templates: Arc::new(paths.into_iter().collect()),
            reserved: &[],
        }
    }

    /// First words that no parameter stands for.
    #[must_use]
    pub fn reserving(mut self, words: &'static [&'static str]) -> Self {
        self.reserved = words;
        self
    }

    /// The methods a path has; empty when no template fits it.
    pub fn methods(&self, path: &str) -> &[String] {
        // A template with literals beats one with parameters at the same place, as in API Gateway.
        self.templates
            .iter()
            .filter(|(template, _)| fits(template, path))
            .filter(|(template, _)| !template.starts_with("/{") || !self.is_reserved(path))
            .min_by_key(|(template, _)| template.matches('{').count())
            .map_or(&[], |(_, methods)| methods)
    }

    fn is_reserved(&self, path: &str) -> bool {
        let first = path.split('/').nth(1).unwrap_or_default();
        let is = |word: &&str| word.eq_ignore_ascii_case(first);
        self.reserved.iter().any(is)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let mut words = path.split('/');
    let mut parts = template.split('/');
    loop {
        match (parts.next(), words.next()) {
            (None, None) => return true,
            (Some(part), Some(word)) => {
                let parameter = part.starts_with('{') && part.ends_with('}');
                if !(part == word || (parameter && !word.is_empty())) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Answers what no route does.
pub(crate) fn fallback(elsewhere: &Paths, request: &Request) -> Response {
    let methods = elsewhere.methods(request.uri().path());
    // One that a path has arrives here when it is routed nowhere else.
    let is_theirs = methods.iter().any(|it| it == request.method().as_str());
    if methods.is_empty() || is_theirs {
        let detail = "Nothing is at this path. GET /openapi.json lists what there is.";
        return Problem::new(Code::UnknownPath, detail).into_response();
    }
    match HeaderValue::from_str(&methods.join(",")) {
        Ok(allow) => refuse_method(request.method())
            .with_header(ALLOW, allow)
            .into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// A known path without this method. For routes of this function axum adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    refuse_method(&method)
}

fn refuse_method(method: &Method) -> Problem {
    let detail = format!("This path does not take {method}. The header Allow lists what it takes.");
    Problem::new(Code::MethodNotAllowed, detail)
}

/// OPTIONS asks what a path takes (RFC 9110, section 9.3.7): what a refusal of it lists.
pub(crate) async fn options(request: Request, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    match response.headers().get(ALLOW) {
        Some(allow) if asked && response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            (StatusCode::NO_CONTENT, [(ALLOW, allow.clone())]).into_response()
        }
        _ => response,
    }
}
