//! The simulator's door: HTTP/1.1 on loopback, requests in, answers out, or a connection closed without one.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::ApiError;
use super::armed::Target;
use super::handle::note_panic;
use super::reply::{
    Answer, amz_json_answer, autoscaling_error, cbor_answer, cloudwatch_error, ec2_error,
    json_answer, ssm_error, xml_answer,
};
use super::route::{Routed, Unroutable, route};
use super::server::Shared;
use super::strike::Strike;
use super::{admin, autoscaling, cloudwatch, ec2, ids, ssm};

/// The largest request; AWS's own limits are smaller.
const MAX_BODY: usize = 2 * 1_024 * 1_024;

/// The connection is to be closed without an answer.
#[derive(Debug, Error)]
#[error("the answer is lost on purpose")]
pub(super) struct Lost;

/// Accepts connections until the simulator closes; what is being answered then is cut off.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.closed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&shared), stream));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(ended) = connections.join_next() => note_panic(ended),
        }
    }
    connections.shutdown().await;
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    });
    if let Err(error) = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Lost> {
    if let Some(refusal) = refuse_foreign(request.headers()) {
        return Ok(json_answer(
            StatusCode::FORBIDDEN,
            &json!({ "error": refusal }),
        ));
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let text = format!("the body is too large or broken: {error}");
            return Ok(json_answer(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({ "error": text }),
            ));
        }
    };
    respond(shared, &head, &body).await
}

/// A way to the simulator that needs no socket, for callers in its process. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Shared>);

impl Door {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// Answers a request as the port does; `None` where the port would close the connection without an answer.
    pub async fn call(&self, head: &Parts, body: &Bytes) -> Option<Response<Full<Bytes>>> {
        respond(&self.0, head, body).await.ok()
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

async fn respond(shared: &Arc<Shared>, head: &Parts, body: &Bytes) -> Result<Answer, Lost> {
    if let Some(path) = head.uri.path().strip_prefix("/_sim/") {
        return Ok(admin::answer(shared, &head.method, path, body).await);
    }
    match route(head.uri.path(), &head.headers, body) {
        Ok(Routed::Ec2 { action, params }) => {
            let result = || perform_ec2(shared, &action, &params);
            with_faults(
                shared,
                "ec2",
                &action,
                &Target::Query(&params),
                result,
                ec2_error,
            )
            .await
        }
        Ok(Routed::AutoScaling { action, params }) => {
            let result = || perform_autoscaling(shared, &action, &params);
            with_faults(
                shared,
                "autoscaling",
                &action,
                &Target::Query(&params),
                result,
                autoscaling_error,
            )
            .await
        }
        Ok(Routed::Ssm { action, body }) => {
            let result = || perform_ssm(shared, &action, &body);
            with_faults(
                shared,
                "ssm",
                &action,
                &Target::Json(&body),
                result,
                ssm_error,
            )
            .await
        }
        Ok(Routed::CloudWatch { action, body }) => {
            let result = || perform_cloudwatch(shared, &action, &body);
            with_faults(
                shared,
                "cloudwatch",
                &action,
                &Target::Json(&body),
                result,
                cloudwatch_error,
            )
            .await
        }
        Err(Unroutable::CloudWatch(error)) => Ok(cloudwatch_error(&error)),
        Err(Unroutable::Ec2(error)) => Ok(ec2_error(&error)),
        Err(Unroutable::AutoScaling(error)) => Ok(autoscaling_error(&error)),
        Err(Unroutable::Ssm(error)) => Ok(ssm_error(&error)),
        Err(Unroutable::Other(text)) => Ok(json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": text }),
        )),
    }
}

/// Counts the request, lets a fault strike it if one is armed, and otherwise answers it.
async fn with_faults<F: Future<Output = Answer>>(
    shared: &Arc<Shared>,
    service: &str,
    action: &str,
    target: &Target<'_>,
    perform: impl FnOnce() -> F,
    error_answer: fn(&ApiError) -> Answer,
) -> Result<Answer, Lost> {
    let fault = {
        let mut state = shared.lock();
        state.count(service, action);
        state.faults.take(service, action, target)
    };
    let Some(fault) = fault else {
        let answer = perform().await;
        tracing::debug!(
            service,
            action,
            status = answer.status().as_u16(),
            "answered"
        );
        return Ok(answer);
    };
    let (strike, delay) = fault.strike();
    tracing::debug!(
        service,
        action,
        ?strike,
        after_effect = fault.after_effect,
        "a fault strikes"
    );
    let done = if fault.after_effect || strike == Strike::Late {
        Some(perform().await)
    } else {
        None
    };
    tokio::time::sleep(delay).await;
    match (strike, done) {
        (Strike::Late, Some(answer)) => Ok(answer),
        (Strike::Late | Strike::Lost, _) => Err(Lost),
        (Strike::Error(error), _) => Ok(error_answer(&error)),
    }
}

async fn perform_ec2(shared: &Arc<Shared>, name: &str, params: &ec2::Params) -> Answer {
    let Some(action) = ec2::action(name) else {
        let message =
            format!("The action {name} is not valid for this web service, or not simulated.");
        return ec2_error(&ApiError::client("InvalidAction", message));
    };
    match shared.ec2(action, params).await {
        Ok(content) => {
            let request_id = ids::uuid();
            xml_answer(
                StatusCode::OK,
                ec2::response(name, &request_id, &content),
                &request_id,
            )
        }
        Err(error) => ec2_error(&error),
    }
}

async fn perform_autoscaling(shared: &Arc<Shared>, name: &str, params: &ec2::Params) -> Answer {
    let Some(action) = autoscaling::action(name) else {
        let message = format!("Could not find operation {name} for version 2011-01-01");
        return autoscaling_error(&ApiError::client("InvalidAction", message));
    };
    match shared.autoscaling(action, params).await {
        Ok(content) => {
            let request_id = ids::uuid();
            xml_answer(
                StatusCode::OK,
                autoscaling::response(name, &request_id, &content),
                &request_id,
            )
        }
        Err(error) => autoscaling_error(&error),
    }
}

async fn perform_ssm(shared: &Arc<Shared>, name: &str, body: &Value) -> Answer {
    let Some(action) = ssm::action(name) else {
        let message = format!("The action {name} is unknown, or not simulated.");
        return ssm_error(&ApiError::client("UnknownOperationException", message));
    };
    match shared.ssm(action, body).await {
        Ok(content) => amz_json_answer(StatusCode::OK, &content),
        Err(error) => ssm_error(&error),
    }
}

async fn perform_cloudwatch(shared: &Arc<Shared>, name: &str, body: &Value) -> Answer {
    let Some(action) = cloudwatch::action(name) else {
        let message = format!("The action {name} is not simulated.");
        return cloudwatch_error(&ApiError::client("InvalidAction", message));
    };
    match shared.cloudwatch(action, body).await {
        Ok(content) => cbor_answer(StatusCode::OK, content),
        Err(error) => cloudwatch_error(&error),
    }
}

/// A web page that this computer's browser shows must not reach machines that run commands here: browsers name the
/// page's origin, and a page that points its own name at loopback is betrayed by the Host header.
fn refuse_foreign(headers: &HeaderMap) -> Option<&'static str> {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if headers.contains_key(ORIGIN) {
        Some("requests from web pages are refused")
    } else if name != "127.0.0.1" && name != "localhost" {
        Some("the Host must be 127.0.0.1 or localhost")
    } else {
        None
    }
}
