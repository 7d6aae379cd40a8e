//! The pool's decisions: a machine's life in it, and claims.

mod capacity;
mod failures;

use jiff::{SignedDuration, Timestamp};

use super::{
    Danger, Group, Lifecycle, Member,
    claim::{Claim, expiry},
    life::{PoolOrder, Sight},
};
use crate::{
    blob::BlobRef,
    failure::{Failure, FailureCode},
    machine::{InstanceFacts, Machine},
    notice::{self, NoticeKind},
    poll::Deadlines,
    staging::{Archive, StagingSpec},
    status::{Desired, InstanceState, Status},
    test_machines::{STAGED, at, facts},
    transition::{CommandState, Next},
};

const LASTING: PoolOrder = PoolOrder::End {
    lowers_desired: true,
};
const REPLACED: PoolOrder = PoolOrder::End {
    lowers_desired: false,
};

fn running() -> InstanceFacts {
    InstanceFacts {
        private_ip: Some("10.0.0.7".to_owned()),
        launch_time: Some(at(0)),
        ..facts(InstanceState::Running)
    }
}

fn member(lifecycle: Lifecycle) -> Member {
    Member {
        instance: running().id,
        lifecycle,
        healthy: true,
        is_protected: true,
    }
}

fn found() -> Machine {
    Machine::discovered("workers", running(), None, Deadlines::default(), at(10))
}

/// Looks at it where group and EC2 show it as it should be.
fn well(machine: &mut Machine, agent_online: Option<bool>, now: Timestamp) -> PoolOrder {
    let (member, facts) = (member(Lifecycle::InService), running());
    let sight = Sight {
        member: Some(&member),
        facts: Some(&facts),
        agent_online,
    };
    machine.observe_in_pool(&sight, now)
}

fn see(
    machine: &mut Machine,
    member: Option<&Member>,
    state: Option<InstanceState>,
    now: Timestamp,
) -> PoolOrder {
    let facts = state.map(|state| InstanceFacts { state, ..running() });
    let sight = Sight {
        member,
        facts: facts.as_ref(),
        agent_online: None,
    };
    machine.observe_in_pool(&sight, now)
}

fn idle() -> Machine {
    let mut machine = found();
    assert_eq!(well(&mut machine, Some(true), at(40)), PoolOrder::Nothing);
    assert_eq!(machine.status, Status::Idle);
    machine
}

fn claim(project: &str) -> Claim {
    Claim {
        project: project.parse().expect("a project id"),
        owner: "dana".to_owned(),
        claimed_at: at(100),
        expires_at: expiry(Some(10), at(100)),
        moves: false,
    }
}

fn claimed() -> Machine {
    let mut machine = idle();
    assert!(machine.hand_out(claim("red")));
    machine
}

#[test]
fn a_machine_is_idle_when_group_and_ec2_and_agent_say_so() {
    let mut machine = found();
    assert_eq!(machine.status, Status::Warming);
    assert_eq!(
        see(
            &mut machine,
            Some(&member(Lifecycle::Pending)),
            Some(InstanceState::Pending),
            at(12)
        ),
        PoolOrder::Nothing
    );
    assert_eq!(well(&mut machine, None, at(20)), PoolOrder::AskAgent);
    assert_eq!(well(&mut machine, Some(false), at(20)), PoolOrder::Nothing);
    assert_eq!(machine.status, Status::Warming);
    well(&mut machine, Some(true), at(40));
    assert_eq!(machine.status, Status::Idle);
    let before = machine.clone();
    assert_eq!(well(&mut machine, None, at(60)), PoolOrder::Nothing);
    assert_eq!(machine, before);
}

#[test]
fn the_same_instance_is_the_same_machine() {
    assert_eq!(found().id, found().id);
    let again = InstanceFacts {
        launch_time: Some(at(1)),
        ..running()
    };
    let again = Machine::discovered("workers", again, None, Deadlines::default(), at(10));
    assert_ne!(found().id, again.id);
}

#[test]
fn a_model_is_staged_before_a_machine_is_idle() {
    let blob: BlobRef = format!("0x{}", "ab".repeat(32)).parse().expect("an id");
    let staging = StagingSpec {
        archive: Archive::Blob(blob),
        package_key: None,
        sha256: None,
        size_bytes: None,
    };
    let deadlines = Deadlines::default();
    let mut machine = Machine::discovered("workers", running(), Some(staging), deadlines, at(10));
    assert_eq!(well(&mut machine, Some(true), at(30)), PoolOrder::Stage);
    assert!(machine.needs_execution(at(200)));
    assert_eq!(machine.moved_on(1), None);
    machine.command_sent("c".to_owned(), at(31));
    let mut failed = machine.clone();
    let ended = CommandState::Ended {
        response_code: Some(0),
        stdout: STAGED.to_owned(),
        stderr: String::new(),
    };
    assert_eq!(machine.command_observed(ended, at(40)), Ok(Next::Ready));
    assert_eq!(machine.status, Status::Idle);

    let failure = Failure::new(FailureCode::CommandTimeout, "too slow");
    assert_eq!(failed.fail(failure, at(50)), Next::Failed);
    assert_eq!(failed.status, Status::Draining);
    assert_eq!(well(&mut failed, None, at(60)), REPLACED);
    assert!(failed.error.is_some());
}

#[test]
fn one_that_does_not_come_up_is_replaced() {
    let mut machine = found();
    let Deadlines {
        running_seconds,
        agent_seconds,
        ..
    } = machine.deadlines;
    let late = at(10 + i64::from(running_seconds + agent_seconds));
    assert_eq!(well(&mut machine, Some(false), late), REPLACED);
    let error = machine.error.expect("an error");
    assert_eq!(
        (error.code.as_str(), error.phase),
        ("agent_timeout", Status::Warming)
    );
}

#[test]
fn an_idle_machine_that_is_not_fit_is_replaced_and_a_claimed_one_left_alone() {
    let unhealthy = Member {
        healthy: false,
        ..member(Lifecycle::InService)
    };
    let up = Some(InstanceState::Running);
    let mut machine = idle();
    assert_eq!(see(&mut machine, Some(&unhealthy), up, at(60)), REPLACED);
    assert_eq!(machine.status, Status::Draining);
    let mut machine = claimed();
    let before = machine.clone();
    assert_eq!(
        see(&mut machine, Some(&unhealthy), up, at(200)),
        PoolOrder::Nothing
    );
    assert_eq!(machine, before);

    let mut machine = idle();
    let stopped = Some(InstanceState::Stopped);
    let there = member(Lifecycle::InService);
    assert_eq!(see(&mut machine, Some(&there), stopped, at(60)), REPLACED);
    let mut machine = idle();
    let leaving = member(Lifecycle::Leaving);
    assert_eq!(
        see(&mut machine, Some(&leaving), up, at(60)),
        PoolOrder::Nothing,
        "the group ends it"
    );
    assert_eq!(machine.status, Status::Draining);
    let mut machine = idle();
    let aside = member(Lifecycle::Aside);
    assert_eq!(
        see(&mut machine, Some(&aside), up, at(60)),
        PoolOrder::Nothing
    );
    assert_eq!(machine.status, Status::Warming);
}

#[test]
fn a_release_ends_the_instance_for_good_and_once() {
    let mut machine = claimed();
    assert!(machine.release("released", at(200)));
    assert!(!machine.release("released", at(201)));
    assert_eq!(
        (machine.status, machine.desired, machine.claim()),
        (Status::Draining, Desired::Terminated, None)
    );
    assert_eq!(well(&mut machine, None, at(210)), LASTING);
    let leaving = member(Lifecycle::Leaving);
    let ending = Some(InstanceState::ShuttingDown);
    assert_eq!(
        see(&mut machine, Some(&leaving), ending, at(220)),
        PoolOrder::Nothing
    );
    see(&mut machine, None, Some(InstanceState::Terminated), at(230));
    assert_eq!(machine.status, Status::Terminated);
    assert!(machine.closed_at.is_some() && machine.error.is_none());
}

#[test]
fn a_claim_lasts_as_long_as_it_should() {
    let mut machine = claimed();
    well(&mut machine, None, at(100 + 599));
    assert_eq!(machine.status, Status::Claimed);
    let red = "red".parse().expect("a project id");
    let blue = "blue".parse().expect("a project id");
    assert!(!machine.renew(&blue, None, at(700)));
    assert!(machine.renew(&red, expiry(Some(20), at(650)), at(650)));
    assert_eq!(well(&mut machine, None, at(701)), PoolOrder::Nothing);
    assert_eq!(well(&mut machine, None, at(650 + 1_200)), LASTING);
    assert_eq!(machine.claim(), None);
    assert!(!idle().renew(&red, None, at(700)));
}

#[test]
fn a_machine_has_one_project_at_most() {
    let mut machine = claimed();
    assert!(!machine.hand_out(claim("blue")));
    let row = machine.project_machine().expect("a row");
    assert_eq!(row.project_id.as_str(), "red");
    assert_eq!(row.ip.as_deref(), Some("10.0.0.7"));
    assert!(!found().hand_out(claim("blue")), "warming");
    assert!(!machine.give_up(at(200)), "in use");
    assert!(idle().give_up(at(200)));
}

fn released() -> Machine {
    let mut machine = claimed();
    assert!(machine.release("released", at(200)));
    machine
}

#[test]
fn an_instance_ended_outside_ends_the_claim() {
    let mut machine = claimed();
    let before = machine.clone();
    let there = member(Lifecycle::InService);
    let gone = Some(InstanceState::Terminated);
    assert_eq!(
        see(&mut machine, Some(&there), gone, at(200)),
        REPLACED,
        "the group lists it until it is told"
    );
    assert_eq!((machine.status, machine.claim()), (Status::Draining, None));
    let error = machine.error.as_ref().expect("an error");
    assert_eq!(error.code, "instance_gone");
    let told = notice::notices(Some(&before), &machine);
    let [told] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(told.kind, NoticeKind::Terminated);
    assert!(told.body.contains("red") && told.body.contains("dana"));
    let lost = machine.clone();
    see(&mut machine, None, gone, at(260));
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(kinds(Some(&lost), &machine), [], "told once");
    assert_eq!(kinds(Some(&before), &released()), []);
}

#[test]
fn what_nobody_shows_is_gone_after_ten_minutes() {
    let lasting = || {
        let mut machine = claimed();
        let red = "red".parse().expect("a project id");
        assert!(machine.renew(&red, None, at(150)));
        machine
    };
    let mut machine = lasting();
    for minute in 0..10 {
        see(&mut machine, None, None, at(200 + 60 * minute));
        assert_eq!(machine.status, Status::Claimed, "minute {minute}");
    }
    see(&mut machine, None, None, at(200 + 600));
    assert_eq!(machine.status, Status::Terminated);
    // Taken out of the group it is its project's still.
    let mut machine = lasting();
    for minute in 0..20 {
        let up = Some(InstanceState::Running);
        see(&mut machine, None, up, at(200 + 60 * minute));
    }
    assert_eq!(machine.missing, None);
}

fn kinds(before: Option<&Machine>, after: &Machine) -> Vec<NoticeKind> {
    let told = notice::notices(before, after).into_iter();
    told.map(|notice| notice.kind).collect()
}

#[test]
fn a_spot_interruption_is_told_to_who_uses_the_machine() {
    let mut machine = claimed();
    let before = machine.clone();
    machine.interrupted(at(300));
    assert_eq!(machine.status, Status::Claimed);
    assert_eq!(kinds(Some(&before), &machine), [NoticeKind::Interrupted]);
    let told = machine.clone();
    machine.interrupted(at(301));
    assert_eq!(kinds(Some(&told), &machine), []);

    let mut free = idle();
    let before = free.clone();
    free.interrupted(at(300));
    assert_eq!(well(&mut free, None, at(310)), REPLACED);
    assert_eq!(kinds(Some(&before), &free), []);
    assert_eq!(kinds(None, &found()), [], "that it was found");
    assert_eq!(kinds(Some(&idle()), &claimed()), []);
}

#[test]
fn settings_that_end_machines_in_use_are_seen() {
    let safe = Group {
        name: "workers".to_owned(),
        min: 0,
        max: 10,
        desired: 5,
        protects_new: true,
        max_lifetime_seconds: None,
        suspended: vec!["AZRebalance".to_owned(), "ReplaceUnhealthy".to_owned()],
        members: Vec::new(),
    };
    assert_eq!(safe.dangers(), []);
    let wild = Group {
        protects_new: false,
        max_lifetime_seconds: Some(86_400),
        suspended: Vec::new(),
        ..safe
    };
    assert_eq!(
        wild.dangers(),
        [
            Danger::NewInstancesUnprotected,
            Danger::AzRebalance,
            Danger::ReplaceUnhealthy,
            Danger::MaxInstanceLifetime
        ]
    );
}

#[test]
fn expiry_is_counted_from_now() {
    assert_eq!(expiry(None, at(0)), None);
    assert_eq!(
        expiry(Some(2), at(0)),
        at(0).checked_add(SignedDuration::from_mins(2)).ok()
    );
}
