//! The fault matrix: each scenario of a machine's life, once for each AWS call × fault, each invocation × death or
//! repetition, each state × end of the execution. What the calls, invocations and states are is recorded from a run
//! without faults. A usual run takes a selection.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cases;
mod ends;
mod kinds;
mod recording;
mod run;
mod scenario;
mod selection;
mod stage;

use std::collections::BTreeMap;

use self::{cases::Case, run::run_all, scenario::Scenario, selection::Selection};

/// Fewer would mean that the recordings are broken.
const AT_LEAST: usize = 500;

/// Environment variable: run the cases whose names contain this, from all places in all scenarios; all with an empty value.
const ONLY: &str = "MATRIX_ONLY";

#[test]
fn every_fault_leaves_a_machine_that_is_ready_or_gone_and_says_why() {
    let _alone = haulout_tests::alone::ALONE.blocking_lock();
    let only = std::env::var(ONLY);
    let Selection {
        mut cases,
        left_out,
    } = if only.is_ok() {
        Selection {
            cases: cases::all(),
            left_out: 0,
        }
    } else {
        selection::usual()
    };
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    if let Ok(only) = only {
        cases.retain(|case| case.name.contains(&only));
    }
    let kinds = count(&cases);
    let total = cases.len();
    let (failures, summary) = run_all(&cases);
    report(&format!(
        "fault matrix: {total} cases of {} scenarios {kinds:?}, {left_out} like them left out; ended {summary:?}",
        Scenario::ALL.len()
    ));
    assert!(
        failures.is_empty(),
        "{} of {total} cases failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn count(cases: &[Case]) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for case in cases {
        *kinds.entry(case.kind).or_default() += 1;
    }
    kinds
}

/// Past the capture of a test's output, so that the figure is seen when all is well.
fn report(line: &str) {
    use std::io::Write as _;
    // That nobody reads it is no failure of the matrix.
    let _unread = writeln!(std::io::stderr(), "{line}");
}
