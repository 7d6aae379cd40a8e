//! Metrics of a machine's progress, read off its timeline: what was asked for and what came of it, failures
//! by phase and code, seconds per phase.

use haulout_domain::{
    failure,
    machine::{Machine, TimelineEntry},
    status::{Desired, Status},
};

use crate::emf::{Dimension, Metrics};

/// Reports what a change of the record added to its timeline.
pub fn report(metrics: &Metrics, before: &Machine, after: &Machine) {
    if before.launch_requested_at.is_none() && after.launch_requested_at.is_some() {
        metrics.count("Launches", &[(Dimension::Outcome, "requested")]);
    }
    let mut previous = before.timeline.last();
    for entry in added(before, after) {
        if let Some(previous) = previous {
            let seconds = entry.at.duration_since(previous.at).as_secs_f64();
            let phase = [(Dimension::Phase, previous.phase.as_str())];
            metrics.seconds("PhaseSeconds", seconds, &phase);
        }
        entered(metrics, before, after, entry.phase, previous);
        previous = Some(entry);
    }
    if before.expiry_announced_at.is_none() && after.expiry_announced_at.is_some() {
        action(metrics, "expire", "announced");
    }
}

/// One more of something that is done with a machine: `action` is what, `outcome` how it went.
fn action(metrics: &Metrics, action: &'static str, outcome: &'static str) {
    metrics.count(
        "Transitions",
        &[(Dimension::Action, action), (Dimension::Outcome, outcome)],
    );
}

/// The entries that are new. A full timeline loses old ones, so positions do not tell.
fn added<'a>(before: &Machine, after: &'a Machine) -> &'a [TimelineEntry] {
    let known = before
        .timeline
        .last()
        .and_then(|last| after.timeline.iter().rposition(|entry| entry == last))
        .map_or(0, |position| position + 1);
    after.timeline.get(known..).unwrap_or_default()
}

fn entered(
    metrics: &Metrics,
    before: &Machine,
    after: &Machine,
    phase: Status,
    previous: Option<&TimelineEntry>,
) {
    let is_start = after.cycle > 1;
    let came_up = previous.is_some_and(|entry| entry.phase.is_provisioning());
    match phase {
        // After a stop that EC2 refused, a machine is what it was before.
        Status::Ready | Status::Failed if !came_up => action(metrics, "stop", "refused"),
        Status::Ready if is_start => action(metrics, "start", "ready"),
        Status::Ready => metrics.count("Launches", &[(Dimension::Outcome, "ready")]),
        Status::Failed => {
            if is_start {
                action(metrics, "start", "failed");
            } else {
                metrics.count("Launches", &[(Dimension::Outcome, "failed")]);
            }
            failed(metrics, after);
        }
        Status::Starting => action(metrics, "start", "requested"),
        Status::Stopping if after.error.is_some() && before.error.is_none() => {
            action(metrics, "start", "failed");
            failed(metrics, after);
        }
        Status::Stopping => action(metrics, "stop", "requested"),
        Status::Stopped => action(metrics, "stop", "done"),
        Status::Terminating => action(metrics, "terminate", "requested"),
        Status::Terminated => {
            action(metrics, "terminate", "done");
            if before.desired != Desired::Terminated && before.error.is_none() {
                failed(metrics, after);
            }
        }
        Status::Interrupted => {
            action(metrics, "interrupt", "announced");
            failed(metrics, after);
        }
        Status::WaitingForInstance => action(metrics, "launch", "tried_elsewhere"),
        Status::Claimed if previous.is_some_and(|entry| entry.phase == Status::Claimed) => {
            action(metrics, "interrupt", "announced");
        }
        Status::Claimed => action(metrics, "claim", "done"),
        Status::Idle => action(metrics, "warm", "done"),
        Status::Draining => {
            action(metrics, "release", "requested");
            if before.error.is_none() {
                failed(metrics, after);
            }
        }
        Status::Warming | Status::WaitingForSsm | Status::FetchingBlob => {}
    }
}

fn failed(metrics: &Metrics, machine: &Machine) {
    if let Some(error) = &machine.error {
        let code = failure::known_code(&error.code).unwrap_or("unknown");
        metrics.count(
            "Failures",
            &[
                (Dimension::Phase, error.phase.as_str()),
                (Dimension::Code, code),
            ],
        );
    }
}
