//! Where a request comes from.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

/// The address of whoever sent the request, as API Gateway saw it; `unknown` when nobody said. What a caller writes into
/// headers does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAddress(pub String);

impl Default for SourceAddress {
    fn default() -> Self {
        Self("unknown".to_owned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
