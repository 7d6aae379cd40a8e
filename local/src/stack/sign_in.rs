//! The first admin: signed in with the secret that the template made, as an operator would be, and again before the
//! token's time is over.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::aws::Aws;
use super::dirs::{self, StateDir};
use super::http::Http;
use super::{Addresses, StackError};

/// The first call after the deployment starts a function, on a busy computer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Tokens last ten hours.
const RENEW_EVERY: Duration = Duration::from_hours(8);
/// After a sign-in that failed.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The first admin of a deployment.
pub(super) struct Admin {
    http: Http,
    api_url: String,
    /// The secret's text, which is what POST /login takes.
    credentials: String,
}

impl Admin {
    /// Of the secret with this id.
    pub(super) async fn of(
        aws: &Aws,
        secret_id: &str,
        http: Http,
        api_url: String,
    ) -> Result<Self, StackError> {
        Ok(Self {
            http,
            api_url,
            credentials: aws.secret(secret_id).await?,
        })
    }

    /// Signs in; the answer is a token.
    pub(super) async fn sign_in(&self) -> Result<String, StackError> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
        }
        const CALL: &str = "POST /login";
        let unusable = |why: String| StackError::Answer {
            call: CALL.into(),
            why,
        };
        let request = Request::post(format!("{}/login", self.api_url))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(
                self.credentials.as_bytes(),
            )))
            .map_err(|error| unusable(error.to_string()))?;
        let answer = self.http.send(request, PATIENCE).await;
        let answer = answer.map_err(|source| StackError::Unreachable {
            call: CALL.into(),
            source,
        })?;
        if !answer.status().is_success() {
            return Err(StackError::SignIn {
                status: answer.status().as_u16(),
                body: String::from_utf8_lossy(answer.body()).into_owned(),
            });
        }
        let answer = serde_json::from_slice::<Answer>(answer.body());
        Ok(answer.map_err(|error| unusable(error.to_string()))?.token)
    }

    /// Signs in again from time to time, and writes the new token down.
    pub(super) fn renew(self, mut addresses: Addresses, dir: Arc<StateDir>) -> Renewal {
        Renewal(tokio::spawn(async move {
            let mut wait = RENEW_EVERY;
            loop {
                tokio::time::sleep(wait).await;
                let renewed = self.sign_in().await.and_then(|token| {
                    addresses.admin_token = token;
                    dirs::write_json(&dir.local_json(), &addresses)
                });
                wait = match renewed {
                    Ok(()) => RENEW_EVERY,
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the admin was not signed in again"
                        );
                        AGAIN_AFTER
                    }
                };
            }
        }))
    }
}

/// Keeps the token in `local.json` good, until it is dropped.
#[derive(Debug)]
pub(super) struct Renewal(JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}
