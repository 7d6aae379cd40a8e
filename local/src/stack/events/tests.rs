//! Deliveries to a stand-in for the emulator's Lambda.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::sim::{Clock, Executor, Sim, SimConfig};
use crate::stack::http::Http;

const PATIENCE: Duration = Duration::from_secs(20);

/// Has one function, refuses what it is told to refuse, and passes the rest on.
struct Lambda {
    invoked: mpsc::UnboundedSender<Value>,
    refusals: std::sync::Mutex<u32>,
}

async fn function(Path(name): Path<String>) -> StatusCode {
    if name == "haulout-events" {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn invoke(
    State(lambda): State<std::sync::Arc<Lambda>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut refusals = lambda.refusals.lock().unwrap();
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let event: Value = serde_json::from_slice(&body).unwrap();
    let is_of_group = event["source"] == "aws.autoscaling";
    let wanted = if is_of_group {
        "haulout-refresh"
    } else {
        "haulout-events"
    };
    assert_eq!(name, wanted);
    assert_eq!(headers["x-amz-invocation-type"], "Event");
    lambda.invoked.send(event).unwrap();
    StatusCode::ACCEPTED
}

/// An emulator that refuses so many invocations first; what it was invoked with.
async fn emulator(refusals: u32) -> (String, mpsc::UnboundedReceiver<Value>) {
    let (invoked, told) = mpsc::unbounded_channel();
    let lambda = Lambda {
        invoked,
        refusals: refusals.into(),
    };
    let app = axum::Router::new()
        .route("/2015-03-31/functions/{name}", get(function))
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .with_state(std::sync::Arc::new(lambda));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (endpoint, told)
}

async fn machines() -> SimHandle {
    let done = Executor::succeeding(Duration::ZERO, "");
    Sim::start(SimConfig::new(Clock::manual(), done))
        .await
        .unwrap()
}

async fn launch(sim: &SimHandle) {
    let form = format!(
        "Action=RunInstances&MinCount=1&MaxCount=1&LaunchTemplate.LaunchTemplateId={}",
        crate::sim::LAUNCH_TEMPLATE_ID
    );
    let request = Request::post(sim.url())
        .body(Full::new(form.into()))
        .unwrap();
    let answer = Http::new().send(request, PATIENCE).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn state(told: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    let event = tokio::time::timeout(PATIENCE, told.recv()).await;
    let event = event.unwrap().unwrap();
    assert_eq!(event["source"], "aws.ec2");
    event["detail"]["state"].clone()
}

#[tokio::test]
async fn events_reach_their_function_though_it_fails_at_first() {
    let sim = machines().await;
    let (endpoint, mut told) = emulator(2).await;
    let aws = Aws::new(Http::new(), &endpoint, sim.clock());
    let delivery = start(&aws, &sim, "haulout-refresh").await.unwrap();
    assert!(delivery.is_some());
    launch(&sim).await;
    assert_eq!(state(&mut told).await, "pending");
    sim.clock().advance(Duration::from_secs(12));
    assert_eq!(state(&mut told).await, "running");
    drop(delivery);
    sim.shutdown().await;
}

#[tokio::test]
async fn events_of_groups_reach_refresh() {
    let done = Executor::succeeding(Duration::ZERO, "");
    let mut config = SimConfig::new(Clock::manual(), done);
    crate::stack::fleet::add(&mut config);
    let sim = Sim::start(config).await.unwrap();
    let (endpoint, mut told) = emulator(0).await;
    let aws = Aws::new(Http::new(), &endpoint, sim.clock());
    let _delivery = start(&aws, &sim, "haulout-refresh").await.unwrap();
    sim.clock().advance(Duration::from_mins(2));
    loop {
        let event = tokio::time::timeout(PATIENCE, told.recv()).await;
        let event = event.unwrap().unwrap();
        if event["source"] == "aws.autoscaling" {
            assert_eq!(event["detail-type"], "EC2 Instance Launch Successful");
            break;
        }
    }
    sim.shutdown().await;
}

#[tokio::test]
async fn an_event_that_is_always_refused_does_not_hold_up_the_next() {
    let sim = machines().await;
    let (endpoint, mut told) = emulator(ATTEMPTS).await;
    let aws = Aws::new(Http::new(), &endpoint, sim.clock());
    let _delivery = start(&aws, &sim, "haulout-refresh").await.unwrap();
    launch(&sim).await;
    sim.clock().advance(Duration::from_secs(12));
    assert_eq!(state(&mut told).await, "running");
}

#[tokio::test]
async fn without_the_function_nothing_is_delivered() {
    let sim = machines().await;
    let (endpoint, _told) = emulator(0).await;
    let aws = Aws::new(Http::new(), &endpoint, sim.clock());
    assert!(start(&aws, &sim, "other-refresh").await.unwrap().is_none());
}

#[test]
fn the_function_has_its_siblings_prefix() {
    assert_eq!(beside("haulout-refresh"), "haulout-events");
    assert_eq!(beside("my-prefix-refresh"), "my-prefix-events");
}
