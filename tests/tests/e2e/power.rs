//! Stopping a machine and starting it again, with a model on it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::fixture::{Fixture, PATIENCE, phases, text};

/// The folder of the model on a machine.
fn model(fixture: &Fixture, machine: &Value) -> PathBuf {
    let machines = &fixture.stack.addresses.machines_dir;
    machines
        .join(text(machine, "instance_id"))
        .join("tmp/model")
}

pub(super) async fn a_started_machine_runs_its_model_again(fixture: &Fixture) {
    let body = json!({"blob_id": fixture.stack.demo_blobs.model, "name": "stop and go"});
    let before = fixture.ready(&body).await;
    let id = text(&before, "id");
    let folder = model(fixture, &before);
    let first_run = fs::read_to_string(folder.join("pid")).expect("the script's pid");
    fs::write(folder.join("notes.txt"), "mine").expect("a file of the user's");

    let stopped = fixture.power(id, "stop", "stopped").await;
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(stopped["public_ip"], Value::Null);

    let after = fixture.power(id, "start", "ready").await;
    assert_eq!(
        phases(&after)[4..],
        [
            "stopping",
            "stopped",
            "starting",
            "waiting_for_ssm",
            "fetching_blob",
            "ready"
        ],
        "{after}"
    );
    assert_eq!(after["instance_id"], before["instance_id"]);
    assert_eq!(after["state"], "running");
    assert_ne!(after["public_ip"], before["public_ip"]);
    assert!(after["public_ip"].is_string(), "{after}");
    // The archive was not unpacked over what its user did; the script runs as another process.
    let notes = fs::read_to_string(folder.join("notes.txt")).expect("the user's file");
    assert_eq!(notes, "mine");
    let runs_anew = || fs::read_to_string(folder.join("pid")).is_ok_and(|pid| pid != first_run);
    let started = |_: &Value| runs_anew() && folder.join("prediction.json").is_file();
    fixture.api.until(id, PATIENCE, started).await;
    fixture.end(id).await;
}
