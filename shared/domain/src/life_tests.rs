//! A machine's life as a whole: the usual one, every way it fails, and random histories against the invariants.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    failure::{Failure, FailureCode},
    machine::Machine,
    status::{Desired, InstanceState, OnFailure, Status},
    sweep::{Execution, Orders, Resume},
    test_machines::{STAGED, at, ended, facts, machine},
    transition::{CommandState, Next},
};

/// A machine on its way up, as far as `until`.
fn up_to(until: Status) -> Machine {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.launch_requested(at(1));
    machine.launched(facts(InstanceState::Pending), at(2));
    if until == Status::WaitingForInstance {
        return machine;
    }
    let running = Some(facts(InstanceState::Running));
    assert!(matches!(
        machine.instance_observed(running, false, at(12)),
        Ok(Next::Done { .. })
    ));
    if until == Status::WaitingForSsm {
        return machine;
    }
    assert!(matches!(
        machine.agent_observed(true, None, at(25)),
        Ok(Next::Done { .. })
    ));
    machine.command_sent("c-1".to_owned(), at(26));
    if until == Status::FetchingBlob {
        return machine;
    }
    assert_eq!(
        machine.command_observed(ended(STAGED, 0), at(34)),
        Ok(Next::Ready)
    );
    machine
}

#[test]
fn the_usual_life_passes_through_each_status_once() {
    let machine = up_to(Status::Ready);
    let phases: Vec<_> = machine
        .timeline
        .iter()
        .map(|entry| entry.phase.as_str())
        .collect();
    assert_eq!(
        phases,
        [
            "waiting_for_instance",
            "waiting_for_ssm",
            "fetching_blob",
            "ready"
        ]
    );
    assert!(
        machine
            .output
            .is_some_and(|output| output.contains("haulout: ready"))
    );
}

#[test]
fn a_bare_machine_is_ready_when_its_checks_pass() {
    let mut machine = machine(false, OnFailure::Terminate);
    machine.launched(facts(InstanceState::Pending), at(1));
    let running = || Some(facts(InstanceState::Running));
    assert!(matches!(
        machine.instance_observed(running(), false, at(400)),
        Ok(Next::Again { .. })
    ));
    assert_eq!(
        machine.instance_observed(running(), true, at(500)),
        Ok(Next::Ready)
    );
    assert_eq!(machine.status, Status::Ready);
}

#[test]
fn every_wait_ends_with_its_own_failure() {
    let mut waiting = up_to(Status::WaitingForInstance);
    let failure = waiting
        .instance_observed(None, false, at(301))
        .expect_err("too late");
    assert_eq!(failure.code, "instance_timeout");

    let mut waiting = up_to(Status::WaitingForSsm);
    let failure = waiting
        .agent_observed(false, None, at(312))
        .expect_err("too late");
    assert_eq!(failure.code, "agent_timeout");

    let mut waiting = up_to(Status::FetchingBlob);
    let failure = waiting
        .command_observed(CommandState::InProgress, at(206))
        .expect_err("too late");
    assert_eq!(failure.code, "command_timeout");
}

#[test]
fn a_launch_that_was_held_up_gets_its_time_all_the_same() {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.launch_requested(at(1_800));
    machine.launched(facts(InstanceState::Pending), at(1_801));
    let pending = || Some(facts(InstanceState::Pending));
    assert!(matches!(
        machine.instance_observed(pending(), false, at(1_810)),
        Ok(Next::Again { wait_seconds: 1 })
    ));
    machine
        .instance_observed(pending(), false, at(2_100))
        .expect_err("too late");
}

#[test]
fn an_instance_that_dies_on_the_way_is_a_failure_with_ec2s_reason() {
    let mut waiting = up_to(Status::WaitingForInstance);
    let dead = facts(InstanceState::Terminated);
    let failure = waiting
        .instance_observed(Some(dead.clone()), false, at(9))
        .expect_err("dead");
    assert_eq!(failure.code, "instance_ended");
    assert!(failure.message.contains("Server.InternalError"));
    let mut waiting = up_to(Status::WaitingForSsm);
    let failure = waiting
        .agent_observed(false, Some(&dead), at(80))
        .expect_err("dead");
    assert_eq!(failure.code, "instance_ended");
}

#[test]
fn a_command_that_succeeds_without_saying_so_is_not_ready() {
    let mut machine = up_to(Status::FetchingBlob);
    machine
        .command_observed(ended("all fine, trust me\n", 0), at(30))
        .expect_err("no word of it");
    assert_ne!(machine.status, Status::Ready);
}

#[test]
fn a_failure_keeps_its_phase_and_unwinds() {
    let mut machine = up_to(Status::WaitingForSsm);
    let failure = Failure::new(FailureCode::AgentTimeout, "no agent");
    assert_eq!(machine.fail(failure.clone(), at(320)), Next::Cleanup);
    let error = machine.error.clone().expect("an error");
    assert_eq!(
        (error.code.as_str(), error.phase),
        ("agent_timeout", Status::WaitingForSsm)
    );
    assert!(machine.is_unwinding() && machine.closed_at.is_none());

    let again = machine.clone();
    assert_eq!(machine.fail(failure, at(330)), Next::Cleanup);
    assert_eq!(machine, again, "a repeated failure changes nothing");

    machine.instance_gone(at(340));
    assert_eq!(
        machine.status,
        Status::Failed,
        "it stays failed once its instance is gone"
    );
    assert_eq!(machine.moved_on(1), Some(Next::Failed));
}

#[test]
fn a_failed_machine_is_kept_when_asked_and_then_expires() {
    let mut machine = up_to(Status::FetchingBlob);
    machine.on_failure = OnFailure::Keep;
    let failure = Failure::new(FailureCode::CommandTimeout, "too slow");
    assert_eq!(machine.fail(failure, at(200)), Next::Failed);
    let running = [facts(InstanceState::Running)];
    assert_eq!(
        machine.reconcile(&running, at(200 + 3_599)),
        Orders::default()
    );
    assert_eq!(
        machine.reconcile(&running, at(200 + 3_600)).terminate,
        vec![running[0].id.clone()]
    );
    assert_eq!(
        machine.reconcile(&[facts(InstanceState::Terminated)], at(4_000)),
        Orders::default()
    );
    assert!(machine.closed_at.is_some() && machine.status == Status::Failed);
}

#[test]
fn a_ready_machine_does_not_fail_any_more() {
    let mut machine = up_to(Status::Ready);
    let before = machine.clone();
    let failure = Failure::new(
        FailureCode::AwsUnavailable,
        "the answer to the last write was lost",
    );
    assert_eq!(machine.fail(failure, at(40)), Next::Ready);
    assert_eq!(machine, before);
}

#[test]
fn deleting_before_anything_was_launched_ends_it_at_once() {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.terminate("asked", at(1));
    assert_eq!(machine.status, Status::Terminated);
    assert!(machine.closed_at.is_some());
}

#[test]
fn deleting_while_a_launch_is_in_flight_waits_for_what_ec2_shows() {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.launch_requested(at(1));
    machine.terminate("asked", at(2));
    assert_eq!(machine.moved_on(1), Some(Next::Cleanup));
    assert_eq!(machine.reconcile(&[], at(60)), Orders::default());
    assert!(machine.closed_at.is_none(), "one listing proves nothing");
    let late = [facts(InstanceState::Running)];
    assert_eq!(
        machine.reconcile(&late, at(120)).terminate,
        vec![late[0].id.clone()]
    );
    assert_eq!(machine.instance_id, Some(late[0].id.clone()));
}

#[test]
fn a_missing_instance_is_gone_after_two_passes_and_ten_minutes() {
    let mut machine = up_to(Status::Ready);
    machine.reconcile(&[], at(1_000));
    machine.reconcile(&[], at(1_300));
    assert!(machine.closed_at.is_none(), "five minutes prove nothing");
    machine.reconcile(&[facts(InstanceState::Running)], at(1_400));
    assert!(machine.missing.is_none(), "it was seen again");
    machine.reconcile(&[], at(2_000));
    assert!(machine.closed_at.is_none(), "one pass proves nothing");
    machine.reconcile(&[], at(2_600));
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(
        machine.error.expect("nobody asked for it").code,
        "instance_gone"
    );
}

#[test]
fn an_execution_that_died_is_taken_over_a_few_times() {
    let mut machine = up_to(Status::WaitingForSsm);
    assert_eq!(machine.resume(Execution::Running, at(100)), Resume::Leave);
    assert_eq!(machine.resume(Execution::NotFound, at(100)), Resume::Start);
    assert_eq!(machine.run, 1, "the name is still free");
    for run in 2..=3 {
        assert_eq!(machine.resume(Execution::Closed, at(100)), Resume::Start);
        assert_eq!(machine.run, run);
    }
    assert_eq!(machine.resume(Execution::Closed, at(100)), Resume::Leave);
    assert_eq!(machine.error.expect("given up").code, "execution_lost");
    assert_eq!(machine.desired, Desired::Terminated);
}

#[test]
fn an_execution_that_cannot_be_started_fails_the_machine_in_the_end() {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.start_failed("AccessDenied", at(60));
    machine.start_failed("AccessDenied", at(600));
    assert_eq!(machine.status, Status::WaitingForInstance);
    machine.start_failed("AccessDenied", at(660));
    assert_eq!(machine.status, Status::Failed);
    assert!(machine.closed_at.is_some(), "nothing was launched");
}

/// What may happen to a machine, in any order.
#[derive(Debug, Clone)]
enum Event {
    LaunchRequested,
    Launched,
    Instance(Option<InstanceState>, bool),
    Agent(bool),
    Sent,
    Command(bool),
    Fail,
    Delete,
    Stop,
    Start,
    Interrupted,
    Listed(Option<InstanceState>),
    Execution(Execution),
}

fn event() -> impl Strategy<Value = Event> {
    let state = prop::sample::select(InstanceState::ALL);
    let execution = prop::sample::select(vec![
        Execution::NotFound,
        Execution::Running,
        Execution::Closed,
    ]);
    prop_oneof![
        Just(Event::LaunchRequested),
        Just(Event::Launched),
        (prop::option::of(state.clone()), any::<bool>()).prop_map(|(s, c)| Event::Instance(s, c)),
        any::<bool>().prop_map(Event::Agent),
        Just(Event::Sent),
        any::<bool>().prop_map(Event::Command),
        Just(Event::Fail),
        Just(Event::Delete),
        Just(Event::Stop),
        Just(Event::Start),
        Just(Event::Interrupted),
        prop::option::of(state).prop_map(Event::Listed),
        execution.prop_map(Event::Execution),
    ]
}

/// Applies an event as a step would; a step first asks whether the record has moved on.
fn apply(machine: &mut Machine, event: &Event, now: Timestamp) {
    let free = machine.moved_on(machine.cycle).is_none();
    let result = match event {
        Event::LaunchRequested if free => {
            machine.launch_requested(now);
            return;
        }
        // A step is cut off after a minute; a record with a launch in flight closes after ten at the earliest.
        Event::Launched if machine.launch_requested_at.is_some() && machine.closed_at.is_none() => {
            machine.launched(facts(InstanceState::Pending), now);
            return;
        }
        Event::Instance(seen, checks) if free && machine.instance_id.is_some() => {
            machine.instance_observed(seen.map(facts), *checks, now)
        }
        Event::Agent(online) if free => machine.agent_observed(*online, None, now),
        Event::Sent if free && machine.instance_id.is_some() => {
            machine.command_sent("c-1".to_owned(), now);
            return;
        }
        Event::Command(good) if free && machine.command_id.is_some() => {
            let state = if *good {
                ended(STAGED, 0)
            } else {
                ended("", 1)
            };
            machine.command_observed(state, now)
        }
        Event::Fail => Err(Failure::new(FailureCode::StepFailed, "cut off")),
        Event::Delete => {
            machine.terminate("asked", now);
            return;
        }
        Event::Stop => {
            let _refused = machine.stop(now);
            return;
        }
        Event::Start => {
            let _refused = machine.start(now);
            return;
        }
        Event::Interrupted => {
            machine.interrupted(now);
            return;
        }
        Event::Listed(seen) => {
            let seen: Vec<_> = seen.iter().map(|state| facts(*state)).collect();
            machine.reconcile(&seen, now);
            return;
        }
        Event::Execution(execution) => {
            machine.resume(*execution, now);
            return;
        }
        _ => return,
    };
    if let Err(failure) = result {
        machine.fail(failure, now);
    }
}

proptest! {
    #[test]
    fn no_history_breaks_the_invariants(
        staged in any::<bool>(),
        keep in any::<bool>(),
        events in prop::collection::vec((event(), 1_i64..400), 1..60),
    ) {
        let on_failure = if keep { OnFailure::Keep } else { OnFailure::Terminate };
        let mut machine = machine(staged, on_failure);
        let (mut clock, mut staged_well) = (0, false);
        for (event, seconds) in events {
            clock += seconds;
            let before = machine.clone();
            apply(&mut machine, &event, at(clock));
            staged_well |= matches!(event, Event::Command(true) | Event::Instance(_, true));

            prop_assert!(machine.status != Status::Ready || staged_well, "a false ready");
            prop_assert!(before.desired != Desired::Terminated || machine.desired == Desired::Terminated);
            let fails = matches!(event, Event::Fail | Event::Agent(_) | Event::Command(_));
            let ended = before.desired != Desired::Terminated && machine.desired == Desired::Terminated;
            prop_assert!(!(before.cycle > 1 && fails && ended), "a failed start ended the instance");
            prop_assert!(before.closed_at.is_none() || machine == before, "a closed record changed");
            prop_assert!(before.instance_id.is_none() || machine.instance_id == before.instance_id);
            prop_assert_eq!(machine.status == Status::Failed && machine.error.is_none(), false);
            prop_assert_eq!(machine.status == Status::Terminated && machine.closed_at.is_none(), false);
            prop_assert_eq!(machine.timeline.last().map(|entry| entry.phase), Some(machine.status));
            prop_assert!(machine.timeline.is_sorted_by_key(|entry| entry.at));
            // Nothing is left that no later pass would end: it closes, given that EC2 says so twice.
            let mut rest = machine.clone();
            rest.terminate("asked", at(clock));
            rest.reconcile(&[facts(InstanceState::Terminated)], at(clock + 1));
            rest.reconcile(&[], at(clock + 2) + SignedDuration::from_mins(11));
            rest.reconcile(&[], at(clock + 3) + SignedDuration::from_mins(22));
            prop_assert!(rest.closed_at.is_some());
        }
    }
}
