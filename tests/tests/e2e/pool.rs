//! The pool on the deployed stack, as callers of the older orchestrator use it: claim by path, status, destroy.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::fixture::{Fixture, text};

/// Longer than five machines take to boot and to report, and than a pass of refresh takes to notice.
const PATIENCE: Duration = Duration::from_mins(3);

/// Asks until the answer will do.
async fn until(
    fixture: &Fixture,
    path: &str,
    enough: impl Fn(StatusCode, &Value) -> bool,
) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = fixture.api.get(path).await;
        if enough(answer.status, &answer.json) {
            return answer.json;
        }
        assert!(Instant::now() < end, "{path}: {}", answer.text);
        sleep(Duration::from_millis(500)).await;
    }
}

/// `curl …/my-project-name`, `curl …/status`, `curl -X POST …/destroy`.
pub(super) async fn a_project_gets_a_machine_and_gives_it_back(fixture: &Fixture) {
    let is_claimed = |status: StatusCode, _: &Value| status.is_success();
    let claim = until(fixture, "/my-project-name", is_claimed).await;
    assert_eq!(claim["projectId"], "my-project-name");
    assert!(claim["ip"].is_string(), "{claim}");
    let again = fixture.api.get("/my-project-name").await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json["machine_id"], claim["machine_id"]);

    // The buffer is made up for: five idle beside the one in use.
    let is_full = |_: StatusCode, status: &Value| status["idleMachines"] == 5;
    let status = until(fixture, "/status", is_full).await;
    assert_eq!(status["usedMachines"], 1, "{status}");
    assert_eq!(status["totalMachines"], 6, "{status}");
    assert_eq!(status["machines"].as_array().map(Vec::len), Some(6));

    let stop = format!("/instances/{}/stop", text(&claim, "machine_id"));
    let stopped = fixture.api.post(&stop, &json!({})).await;
    assert_eq!(stopped.status, StatusCode::CONFLICT, "{}", stopped.text);

    let destroy = json!({"machineId": claim["instance_id"]});
    for _ in 0..2 {
        let answer = fixture.api.post("/destroy", &destroy).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    }
    let path = "/projects/my-project-name/machine";
    let none = fixture.api.send(Method::GET, path, &[], "").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let is_over = |_: StatusCode, status: &Value| status["usedMachines"] == 0;
    until(fixture, "/status", is_over).await;
}
