//! The README's walk-through, run as it is printed.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use super::fixture::Fixture;

const README: &str = include_str!("../../../README.md");

/// The shell blocks of one section, in order.
fn blocks(section: &str) -> Vec<String> {
    let heading = format!("## {section}\n");
    let start = README
        .find(&heading)
        .unwrap_or_else(|| panic!("the README has no section '{section}'"));
    let body = &README[start + heading.len()..];
    let body = &body[..body.find("\n## ").unwrap_or(body.len())];
    body.split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

pub(super) async fn the_walk_through_works_as_printed(fixture: &Fixture) {
    let demo = &fixture.stack.demo_blobs;
    for blob in [&demo.model, &demo.broken] {
        assert!(
            README.contains(blob.as_str()),
            "the README does not name the demo blob {blob}"
        );
    }
    let blocks = blocks("Walk through it");
    assert!(
        blocks.len() >= 4,
        "the walk-through has its commands in sh blocks"
    );
    let script = format!("set -eu\n{}", blocks.join("\n"));
    let output = shell(&script, fixture.folder.path()).await;
    for expected in [
        "\"status\":\"waiting_for_instance\"",
        "\"status\":\"ready\"",
        "\"code\":\"not_a_zip\"",
        "\"status\":\"terminating\"",
        "\"state\":\"ready\"",
        "hellofrom",
        "\"username\":\"ann\"",
        "{\"total\":0,\"instances\":[],\"next_cursor\":null}",
    ] {
        let flat: String = output.split_whitespace().collect();
        assert!(flat.contains(expected), "no {expected} in:\n{output}");
    }
}

/// Runs a script as a user at the repository's root would, with the stack's `.haulout` there.
async fn shell(script: &str, folder: &Path) -> String {
    let output = Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{text}\n{errors}");
    text
}
