//! Machines that fail one after another.

use super::{
    super::failures::{Failures, MOST_FAILED, PAUSE},
    found, well,
};
use crate::{
    failure::{Failure, FailureCode},
    machine::Machine,
    staging::{Archive, StagingSpec},
    test_machines::at,
};

fn archive(version: &str) -> Archive {
    Archive::Package(format!("model@{version}").parse().unwrap())
}

/// A machine that is being staged.
fn staging(version: &str) -> Machine {
    let mut machine = found();
    machine.staging = Some(StagingSpec {
        archive: archive(version),
        package_key: None,
        sha256: None,
        size_bytes: None,
    });
    let _stage = well(&mut machine, Some(true), at(40));
    machine
}

fn failed(version: &str, seconds: i64) -> Machine {
    let mut machine = staging(version);
    let failure = Failure::new(FailureCode::StepFailed, format!("at {seconds}"));
    machine.fail(failure, at(seconds));
    machine
}

fn idle(version: &str, seconds: i64) -> Machine {
    let mut machine = staging(version);
    machine.staging = None;
    machine.status = crate::status::Status::Warming;
    let _nothing = well(&mut machine, Some(true), at(seconds));
    machine.staging = staging(version).staging;
    machine
}

fn after(before: Option<Failures>, machines: &[Machine]) -> Option<Failures> {
    Failures::after(before, &archive("1.0.0"), machines)
}

fn count(failures: Option<&Failures>) -> u32 {
    failures.map_or(0, |it| it.count)
}

#[test]
fn each_failure_counts_once_until_a_machine_is_staged() {
    let (first, second) = (failed("1.0.0", 50), failed("1.0.0", 60));
    let one = after(None, &[first.clone(), staging("1.0.0")]);
    assert_eq!(count(one.as_ref()), 1);
    // It is seen again while its instance ends, and once more when that has ended.
    let two = after(one, &[second.clone(), first.clone()]).unwrap();
    assert_eq!((two.count, two.last_at), (2, at(60)));
    let mut gone = [first, second];
    for machine in &mut gone {
        machine.instance_gone(at(90));
    }
    let two = after(Some(two), &gone).unwrap();
    assert_eq!((two.count, two.last_at), (2, at(60)));
    assert_eq!(two.last.message, "at 60");
    let again = after(Some(two.clone()), &[]);
    assert_eq!(again.as_ref(), Some(&two));
    // One that was staged before tells nothing; one since, everything.
    let kept = after(Some(two.clone()), &[idle("1.0.0", 55)]);
    assert_eq!(kept.as_ref(), Some(&two));
    assert_eq!(after(Some(two.clone()), &[idle("1.0.0", 61)]), None);
    let new = after(Some(two), &[failed("1.0.0", 70), idle("1.0.0", 61)]);
    assert_eq!(count(new.as_ref()), 1);
}

#[test]
fn those_that_fail_at_the_same_time_all_count() {
    let at_once = [
        failed("1.0.0", 50),
        failed("1.0.0", 50),
        failed("1.0.0", 50),
    ];
    let three = after(None, &at_once);
    assert_eq!(count(three.as_ref()), 3);
    assert_eq!(after(three.clone(), &at_once), three);
}

#[test]
fn what_was_to_be_staged_before_does_not_count() {
    let old = after(None, &[failed("1.0.0", 50)]);
    let machines = [failed("1.0.0", 60), failed("2.0.0", 70)];
    let new = Failures::after(old, &archive("2.0.0"), &machines).unwrap();
    assert_eq!((new.count, new.last_at), (1, at(70)));
}

#[test]
fn what_fails_again_and_again_is_tried_now_and_then() {
    let mut failures = after(None, &[failed("1.0.0", 50)]).unwrap();
    assert_eq!(failures.most_new(at(51)), u32::MAX);
    failures.count = MOST_FAILED;
    assert!(failures.is_lasting());
    assert_eq!(failures.most_new(at(51)), 0);
    assert_eq!(failures.most_new(at(50) + PAUSE), 1);
}
