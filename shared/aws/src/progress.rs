//! Metrics of a machine's progress, read off its timeline: launches by outcome, failures by phase and
//! code, seconds per phase.

use haulout_domain::{failure, machine::Machine, status::Status};

use crate::emf::{Dimension, Metrics};

/// Reports what a change of the record added to its timeline.
pub fn report(metrics: &Metrics, before: &Machine, after: &Machine) {
    if before.launch_requested_at.is_none() && after.launch_requested_at.is_some() {
        metrics.count("Launches", &[(Dimension::Outcome, "requested")]);
    }
    let known = before.timeline.len();
    for (position, entry) in after.timeline.iter().enumerate().skip(known) {
        if let Some(previous) = position.checked_sub(1).map(|last| &after.timeline[last]) {
            let seconds = entry.at.duration_since(previous.at).as_secs_f64();
            let phase = [(Dimension::Phase, previous.phase.as_str())];
            metrics.seconds("PhaseSeconds", seconds, &phase);
        }
        match entry.phase {
            Status::Ready => metrics.count("Launches", &[(Dimension::Outcome, "ready")]),
            Status::Failed => failed(metrics, after),
            _ => {}
        }
    }
}

fn failed(metrics: &Metrics, machine: &Machine) {
    metrics.count("Launches", &[(Dimension::Outcome, "failed")]);
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
