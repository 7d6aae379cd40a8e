//! HTML answers, and the start page: one file, nothing loaded from anywhere, no script.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
    },
};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("start.css");
const BODY: &str = include_str!("start.html");
/// Where the page wants its style.
const SLOT: &str = "<!--style-->";

/// The policy: the page's own style, known by its digest, and nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// A page and the Content Security Policy it is written for.
pub(crate) struct Html {
    pub(crate) body: String,
    pub(crate) policy: String,
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let Ok(policy) = HeaderValue::from_str(&self.policy) else {
            return haulout_api::Problem::internal("the page's policy is not a header")
                .into_response();
        };
        let headers: [(HeaderName, HeaderValue); 5] = [
            (
                CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (CONTENT_SECURITY_POLICY, policy),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        ];
        (headers, self.body).into_response()
    }
}

/// The start page.
pub(crate) fn start() -> Html {
    Html {
        body: BODY.replacen(SLOT, &format!("<style>{STYLE}</style>"), 1),
        policy: POLICY.clone(),
    }
}
