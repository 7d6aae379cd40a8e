//! The small HTTP client with which the stack talks to its own parts on loopback.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;

/// A request got no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The connection failed.
    #[error("the connection failed")]
    Connection(#[source] hyper_util::client::legacy::Error),
    /// The answer broke off.
    #[error("the answer broke off")]
    Body(#[source] hyper::Error),
    /// No answer in time.
    #[error("there was no answer within {0:?}")]
    Timeout(Duration),
}

/// An HTTP client; clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Http {
    pub(super) fn new() -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request and reads the whole answer, both within `patience`.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(HttpError::Connection)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(HttpError::Body)?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(patience, exchange)
            .await
            .map_err(|_| HttpError::Timeout(patience))?
    }
}
