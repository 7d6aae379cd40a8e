//! Stopping, starting, interruption, drift, and what of it is worth a notification.

use jiff::Timestamp;

use crate::{
    failure::{Failure, FailureCode},
    machine::{InstanceFacts, Machine},
    notice::{self, NoticeKind},
    power::PowerRefusal,
    status::{Desired, InstanceState, Status},
    sweep::Orders,
    test_machines::{at, facts, ready, spot},
    transition::Next,
};

fn seen(machine: &mut Machine, state: InstanceState, now: Timestamp) -> Orders {
    let seen = [facts(state)];
    machine.reconcile(&seen, now)
}

fn stopped() -> Machine {
    let mut machine = ready();
    machine.stop(at(100)).expect("stoppable");
    seen(&mut machine, InstanceState::Stopped, at(120));
    assert_eq!(machine.status, Status::Stopped);
    machine
}

#[test]
fn a_machine_is_stopped_when_ec2_says_so_and_not_before() {
    let mut machine = ready();
    machine.stop(at(100)).expect("stoppable");
    assert_eq!(
        (machine.status, machine.desired),
        (Status::Stopping, Desired::Stopped)
    );
    let orders = seen(&mut machine, InstanceState::Running, at(101));
    assert_eq!(orders.stop.as_ref(), machine.instance_id.as_ref());
    let orders = seen(&mut machine, InstanceState::Stopping, at(110));
    assert_eq!(
        (orders, machine.status),
        (Orders::default(), Status::Stopping)
    );
    seen(&mut machine, InstanceState::Stopped, at(120));
    assert_eq!(machine.status, Status::Stopped);
    machine.stop(at(130)).expect("asking again changes nothing");
    assert_eq!(machine.status, Status::Stopped);
}

#[test]
fn who_saw_the_instance_before_the_record_changed_does_not_overwrite_what_is_newer() {
    let mut machine = ready();
    seen(&mut machine, InstanceState::Running, at(200));
    machine.updated_at = at(200);
    let before = machine.clone();
    let old = InstanceFacts {
        public_ip: None,
        ..facts(InstanceState::Pending)
    };
    machine.instance_seen(&old, at(150));
    assert_eq!(machine, before);
    machine.instance_seen(&old, at(201));
    assert_eq!(machine.instance, Some(old));
}

#[test]
fn a_start_brings_it_up_in_another_cycle() {
    let mut machine = stopped();
    machine.start(at(200)).expect("startable");
    assert_eq!((machine.cycle, machine.run, machine.attempt), (2, 1, 1));
    assert!(machine.execution_name().ends_with("-c2-r1"));
    assert_eq!(machine.moved_on(1), Some(Next::Stopped));
    let again = machine.clone();
    machine
        .start(at(201))
        .expect("asking again changes nothing");
    assert_eq!(machine, again);
    // EC2 may show it as stopped for a moment longer.
    let next = machine.instance_observed(Some(facts(InstanceState::Stopped)), false, at(203));
    assert!(matches!(next, Ok(Next::Again { .. })), "{next:?}");
    let running = InstanceFacts {
        public_ip: Some("203.0.113.99".to_owned()),
        ..facts(InstanceState::Running)
    };
    let next = machine.instance_observed(Some(running), false, at(212));
    assert!(matches!(next, Ok(Next::Done { .. })));
    assert_eq!(machine.status, Status::WaitingForSsm);
    let address = machine.instance.and_then(|facts| facts.public_ip);
    assert_eq!(address.as_deref(), Some("203.0.113.99"));
}

#[test]
fn what_does_not_fit_where_it_is_is_refused_with_its_status() {
    let mut machine = stopped();
    machine.terminate("deleted by its owner", at(200));
    let refusal = machine.start(at(201)).expect_err("it terminates");
    assert!(
        refusal.to_string().contains("the machine is terminating"),
        "{refusal}"
    );
    let mut launching = crate::test_machines::launching();
    let refusal = launching.stop(at(5)).expect_err("it launches");
    assert!(
        refusal.to_string().contains("waiting_for_instance"),
        "{refusal}"
    );
    assert_eq!(spot().stop(at(100)), Err(PowerRefusal::Spot));
}

#[test]
fn a_start_that_fails_never_ends_the_instance() {
    let mut refused = stopped();
    refused.start(at(200)).expect("startable");
    let failure = Failure::new(FailureCode::InsufficientCapacity, "no room");
    assert_eq!(refused.fail(failure, at(201)), Next::Failed);
    let orders = seen(&mut refused, InstanceState::Stopped, at(230));
    assert_eq!(
        (orders, refused.status),
        (Orders::default(), Status::Stopped)
    );
    assert_eq!(
        refused.error.as_ref().map(|error| error.code.as_str()),
        Some("insufficient_capacity")
    );
    refused.start(at(300)).expect("it can be tried again");
    assert_eq!(refused.error, None);

    let mut unreachable = stopped();
    unreachable.start(at(200)).expect("startable");
    unreachable
        .instance_observed(Some(facts(InstanceState::Running)), false, at(212))
        .expect("running");
    unreachable.fail(Failure::new(FailureCode::AgentTimeout, "no agent"), at(600));
    let orders = seen(&mut unreachable, InstanceState::Running, at(10_000));
    assert_eq!(
        (orders, unreachable.status),
        (Orders::default(), Status::Failed)
    );
    unreachable.stop(at(10_001)).expect("it can be stopped");
}

#[test]
fn a_stop_that_ec2_refuses_leaves_it_as_it_was() {
    let mut machine = ready();
    machine.stop(at(100)).expect("stoppable");
    machine.stop_refused(
        &Failure::new(FailureCode::StopRefused, "not this one"),
        at(101),
    );
    assert_eq!(
        (machine.status, machine.desired),
        (Status::Ready, Desired::Running)
    );
}

#[test]
fn drift_is_taken_in_once_it_is_no_echo() {
    let mut machine = ready();
    let since = machine.phase_entered_at();
    let soon = since + jiff::SignedDuration::from_secs(30);
    seen(&mut machine, InstanceState::Stopped, soon);
    assert_eq!(machine.status, Status::Ready, "a listing may be old");
    let later = since + jiff::SignedDuration::from_secs(90);
    seen(&mut machine, InstanceState::Stopped, later);
    seen(&mut machine, InstanceState::Stopped, later);
    assert_eq!(
        (machine.status, machine.desired),
        (Status::Stopped, Desired::Stopped)
    );
    let later = later + jiff::SignedDuration::from_secs(90);
    seen(&mut machine, InstanceState::Running, later);
    assert_eq!((machine.status, machine.cycle), (Status::Starting, 2));
}

#[test]
fn an_interrupted_machine_ends_when_ec2_says_so() {
    let mut machine = spot();
    machine.interrupted(at(500));
    assert_eq!(
        (machine.status, machine.desired),
        (Status::Interrupted, Desired::Running)
    );
    assert_eq!(
        seen(&mut machine, InstanceState::Running, at(510)),
        Orders::default()
    );
    seen(&mut machine, InstanceState::Terminated, at(620));
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(
        machine.error.map(|error| error.code).as_deref(),
        Some("spot_interrupted")
    );

    let mut launching = crate::test_machines::launching();
    launching.interrupted(at(5));
    assert!(launching.is_unwinding(), "nobody uses it yet");
    assert_eq!(launching.moved_on(1), Some(Next::Cleanup));
}

#[test]
fn nothing_is_closed_before_its_security_group_is_gone() {
    let mut machine = ready();
    machine.group_requested(at(50));
    machine.terminate("deleted by its owner", at(100));
    let orders = seen(&mut machine, InstanceState::Terminated, at(110));
    assert!(orders.delete_group && machine.closed_at.is_none());
    machine.group_gone(at(120));
    assert_eq!(
        (machine.status, machine.has_group_left()),
        (Status::Terminated, false)
    );
}

#[test]
fn a_lifetime_is_announced_and_then_over() {
    let mut machine = ready();
    machine.expires_at = Some(at(3_600));
    seen(&mut machine, InstanceState::Running, at(2_999));
    assert_eq!(machine.expiry_announced_at, None);
    let before = machine.clone();
    seen(&mut machine, InstanceState::Running, at(3_001));
    let kinds: Vec<NoticeKind> = notice::notices(Some(&before), &machine)
        .iter()
        .map(|notice| notice.kind)
        .collect();
    assert_eq!(kinds, [NoticeKind::Expiring]);
    let orders = seen(&mut machine, InstanceState::Running, at(3_600));
    assert_eq!(orders.terminate.len(), 1);
    assert_eq!(machine.status, Status::Terminating);
}

#[test]
fn each_event_is_told_once_and_readably() {
    let machine = ready();
    let kinds = |before: Option<&Machine>, after: &Machine| -> Vec<NoticeKind> {
        notice::notices(before, after)
            .iter()
            .map(|notice| notice.kind)
            .collect()
    };
    assert_eq!(
        kinds(None, &crate::test_machines::launching()),
        [NoticeKind::Created]
    );
    let mut stopping = machine.clone();
    stopping.stop(at(100)).expect("stoppable");
    assert_eq!(kinds(Some(&machine), &stopping), []);
    let stopped = stopped();
    assert_eq!(kinds(Some(&stopping), &stopped), [NoticeKind::Stopped]);
    let mut named = machine.clone();
    named.name = "jürgen's machine".to_owned();
    let notices = notice::notices(Some(&stopping), &named);
    let told = notices.first().expect("a notice");
    assert!(
        told.subject.is_ascii() && told.subject.len() <= 100,
        "{}",
        told.subject
    );
    for part in [
        machine.id.as_str(),
        "i-0123456789abcdef0",
        "running",
        "ready",
    ] {
        assert!(told.body.contains(part), "{part} is not in:\n{}", told.body);
    }
    assert!(told.attributes.contains(&("event", "ready".to_owned())));
}

#[test]
fn a_stop_is_told_as_one_also_after_a_failed_start() {
    let kinds = |before: &Machine, after: &Machine| -> Vec<NoticeKind> {
        let notices = notice::notices(Some(before), after);
        notices.iter().map(|notice| notice.kind).collect()
    };
    let refused = || Failure::new(FailureCode::StartRefused, "no");
    let mut starting = stopped();
    starting.start(at(1_000)).expect("startable");

    let mut failed = starting.clone();
    let running = Some(facts(InstanceState::Running));
    failed
        .instance_observed(running, false, at(1_010))
        .expect("running");
    failed.fail(refused(), at(1_400));
    let mut stopping = failed.clone();
    stopping.stop(at(1_500)).expect("stoppable");
    assert_eq!(kinds(&failed, &stopping), []);
    let mut stopped = stopping.clone();
    seen(&mut stopped, InstanceState::Stopped, at(1_600));
    assert_eq!(kinds(&stopping, &stopped), [NoticeKind::Stopped]);

    let mut stopping = starting.clone();
    stopping.fail(refused(), at(1_001));
    assert_eq!(kinds(&starting, &stopping), [NoticeKind::Failed]);
    let mut stopped = stopping.clone();
    seen(&mut stopped, InstanceState::Stopped, at(1_100));
    assert_eq!(kinds(&stopping, &stopped), []);
}
