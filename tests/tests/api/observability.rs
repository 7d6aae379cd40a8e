//! Logs and metrics: one JSON object a line, with the request's id, without secrets.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use haulout_aws::{
    emf::{Dimension, Metrics},
    secrets::Secret,
    telemetry::{self, error_chain},
};
use haulout_tests::gateway::{GatewayEvent, REQUEST_ID};
use serde_json::Value;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use super::support::{TOKEN, app};

/// Lines written by several hands.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn read(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// What this thread logs from now on, at a level.
fn logs(filter: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = telemetry::layer(filter.parse::<Targets>().unwrap(), move || writer.clone());
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (lines, guard)
}

/// The same for requests. Tracing remembers for each place in the code whether anybody listens; a test on another
/// thread that comes by there at this moment can make it remember wrongly, so this goes on until it does not.
async fn request_logs(filter: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
    let (lines, guard) = logs(filter);
    for _ in 0..1_000 {
        lines.0.lock().unwrap().clear();
        GatewayEvent::get("/health").send(&app()).await;
        if lines.text().contains(REQUEST_ID) {
            lines.0.lock().unwrap().clear();
            return (lines, guard);
        }
        tracing::callsite::rebuild_interest_cache();
    }
    panic!("requests are not logged: {}", lines.text());
}

#[tokio::test]
async fn a_request_is_one_line_with_its_id_and_no_secret() {
    let (lines, _guard) = request_logs("info").await;
    let event = GatewayEvent::get("/things/7?token=query-secret")
        .token(TOKEN)
        .header("cookie", "cookie-secret");
    assert_eq!(event.send(&app()).await.status, 200);
    let lines_read = lines.read();
    assert_eq!(lines_read.len(), 1, "{}", lines.text());
    let line = &lines_read[0];
    assert_eq!(line["request_id"], REQUEST_ID);
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/things/{id}");
    assert_eq!(line["status"], 200);
    assert_eq!(line["caller"], "admin");
    assert_eq!(line["level"], "INFO");
    assert!(line["ms"].is_u64());
    assert!(
        line["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    for secret in [TOKEN, "query-secret", "cookie-secret"] {
        assert!(!lines.text().contains(secret));
    }
}

#[tokio::test]
async fn a_fault_is_logged_once_with_its_cause_and_id() {
    let (lines, _guard) = request_logs("info").await;
    GatewayEvent::get("/fails").token(TOKEN).send(&app()).await;
    let lines_read = lines.read();
    assert_eq!(lines_read.len(), 1, "{}", lines.text());
    let line = &lines_read[0];
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["code"], "internal");
    assert_eq!(line["error"], "the password is hunter2");
    assert_eq!(line["request_id"], REQUEST_ID);
}

#[tokio::test]
async fn at_the_finest_level_there_is_still_no_token() {
    let (lines, _guard) = request_logs("trace").await;
    GatewayEvent::get("/things").token(TOKEN).send(&app()).await;
    tracing::trace!(target: "lambda_runtime::layers::api_response", "authorization: {TOKEN}");
    tracing::debug!(target: "aws_smithy_runtime::client", "authorization: {TOKEN}");
    tracing::info!(target: "aws_smithy_runtime::client", "fine");
    assert!(!lines.text().contains(TOKEN), "{}", lines.text());
    assert!(lines.text().contains("fine"));
}

#[test]
fn fields_of_spans_and_events_stand_beside_each_other() {
    let (lines, _guard) = logs("warn,here=debug");
    let outer = tracing::info_span!(target: "here", "outer", machine_id = "m-1", phase = tracing::field::Empty);
    outer.in_scope(|| {
        tracing::Span::current().record("phase", "ready");
        let inner = tracing::info_span!(target: "here", "inner", execution = "e-1");
        inner.in_scope(|| {
            let error = io::Error::other("broken\nin \"two\"");
            tracing::debug!(target: "here", count = 3, ok = true, share = 0.5, error = &error as &dyn std::error::Error, "a {}", "message");
            tracing::info!(target: "elsewhere", "not shown");
        });
    });
    let read = lines.read();
    assert_eq!(read.len(), 1, "{}", lines.text());
    let mut line = read[0].clone();
    line.as_object_mut().unwrap().remove("timestamp");
    assert_eq!(
        line,
        serde_json::json!({
            "level": "DEBUG", "target": "here", "message": "a message", "machine_id": "m-1", "phase": "ready",
            "execution": "e-1", "count": 3, "ok": true, "share": 0.5, "error": "broken\nin \"two\""
        })
    );
}

#[test]
fn an_error_is_told_with_its_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("the machine was not made")]
    struct Outer(#[source] io::Error);
    assert_eq!(
        error_chain(&Outer(io::Error::other("the disk is full"))),
        "the machine was not made: the disk is full"
    );
}

#[test]
fn a_secret_does_not_show() {
    assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
}

#[test]
fn a_metric_is_one_line_in_the_embedded_format() {
    let lines = Lines::default();
    let metrics = Metrics::to("blue", lines.clone());
    metrics.count("Launches", &[(Dimension::Outcome, "accepted")]);
    metrics.seconds(
        "PhaseSeconds",
        12.5,
        &[
            (Dimension::Phase, "ready"),
            (Dimension::Function, "provision"),
        ],
    );
    let read = lines.read();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0]["Launches"], 1.0);
    assert_eq!(read[0]["Outcome"], "accepted");
    assert_eq!(read[0]["Deployment"], "blue");
    let directive = &read[1]["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Haulout");
    assert_eq!(
        directive["Dimensions"],
        serde_json::json!([["Deployment", "Phase", "Function"]])
    );
    assert_eq!(
        directive["Metrics"],
        serde_json::json!([{"Name": "PhaseSeconds", "Unit": "Seconds"}])
    );
    assert_eq!(read[1]["PhaseSeconds"], 12.5);
    assert!(read[1]["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    // CloudWatch wants a member for every dimension it is told of.
    for dimension in directive["Dimensions"][0].as_array().unwrap() {
        assert!(
            read[1][dimension.as_str().unwrap()].is_string(),
            "{dimension}"
        );
    }
}
