//! A quota holds exactly: no machine too many, and no place lost or given back twice.

use haulout_aws::store::{Created, Idempotency, StoreError};
use haulout_domain::machine::Machine;
use haulout_tests::{
    call::Refusal,
    dynamo::CONTROL,
    faults::{ALWAYS, CallFault, Trouble},
    life::together,
    settings::Settings,
    world::World,
};
use serde_json::{Value, json};

use super::{dynamo, machine, world};

/// What the owner's counter says.
fn in_use(world: &World) -> u64 {
    let request = json!({"TableName": CONTROL, "Key": {"pk": {"S": "quota#admin"}}});
    let (status, answer) = world.dynamo.call("GetItem", request.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let counter = answer["Item"]["in_use"]["N"].as_str().unwrap_or("0");
    counter.parse().unwrap()
}

async fn create(world: &World, limit: u32, key: Option<&str>) -> (Machine, Created) {
    let machine = machine(world);
    let key = key.map(|key| Idempotency {
        scope: key.to_owned(),
        fingerprint: "body".to_owned(),
        answer: "answer".to_owned(),
    });
    let now = world.clock.now();
    let created = world
        .store
        .create(&machine, key.as_ref(), Some(limit), now)
        .await;
    (machine, created.unwrap())
}

async fn close(world: &World, machine: &Machine) -> Result<(), StoreError> {
    let now = world.clock.now();
    let closed = world
        .store
        .update(&machine.id, |machine| machine.terminate("test", now))
        .await?;
    assert!(closed.unwrap().0.closed_at.is_some());
    Ok(())
}

fn lost(times: u32) -> CallFault {
    let fault = CallFault::new("", &dynamo("TransactWriteItems"), Trouble::Lost);
    CallFault { times, ..fault }
}

#[tokio::test]
async fn many_requests_at_once_make_as_many_machines_as_are_allowed() {
    for seed in 0..2 {
        let world = World::start(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        // Some of them in the way of others, and some answers get lost.
        let conflict = Trouble::Refused(Refusal::Code("TransactionCanceledException"));
        for trouble in [conflict, Trouble::Lost] {
            let fault = CallFault::new("", &dynamo("TransactWriteItems"), trouble);
            world.faults.arm(CallFault {
                skip: 5,
                times: 2,
                ..fault
            });
        }
        let requests = (0..200).map(|_| world.invoke("test", || create(&world, 20, None)));
        let answers = together(requests).await;
        let made = answers
            .iter()
            .filter(|answer| matches!(answer, Ok((_, Created::New))))
            .count();
        let full = Created::QuotaFull { limit: 20 };
        let refused = answers
            .iter()
            .filter(|answer| matches!(answer, Ok((_, created)) if *created == full))
            .count();
        assert_eq!((made, refused), (20, 180), "seed {seed}");
        let machines = world.machines().await;
        assert_eq!(machines.len(), 20, "seed {seed}");
        assert!(machines.iter().all(|machine| machine.counted));
        assert_eq!(in_use(&world), 20, "seed {seed}");
    }
}

#[tokio::test]
async fn a_quota_of_nothing_lets_nobody_in() {
    let world = world().await;
    let (_, created) = create(&world, 0, None).await;
    assert_eq!(created, Created::QuotaFull { limit: 0 });
    assert_eq!(world.machines().await, []);
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before_when_no_place_is_left() {
    let world = world().await;
    let (first, created) = create(&world, 2, Some("a")).await;
    assert_eq!(created, Created::New);
    assert_eq!(create(&world, 2, Some("b")).await.1, Created::New);
    let before = Created::Before {
        machine: first.id,
        answer: "answer".to_owned(),
    };
    assert_eq!(create(&world, 2, Some("a")).await.1, before);
    let full = Created::QuotaFull { limit: 2 };
    assert_eq!(create(&world, 2, Some("c")).await.1, full);
    assert_eq!((world.machines().await.len(), in_use(&world)), (2, 2));
}

#[tokio::test]
async fn a_place_is_given_back_once_by_many_closers() {
    for seed in 0..4 {
        let world = World::start(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        let (machine, _) = create(&world, 20, None).await;
        create(&world, 20, None).await;
        world.faults.arm(lost(2));
        let closers = (0..8).map(|_| world.invoke("test", || close(&world, &machine)));
        for closed in together(closers).await {
            closed.unwrap().unwrap();
        }
        let after = world.machine(&machine.id).await;
        assert!(!after.counted && after.closed_at.is_some());
        assert_eq!(in_use(&world), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn a_place_is_given_back_once_when_no_answer_comes() {
    let world = world().await;
    let (machine, _) = create(&world, 20, None).await;
    create(&world, 20, None).await;
    world.faults.arm(lost(3));
    let closed = world
        .invoke("test", || close(&world, &machine))
        .await
        .unwrap();
    assert!(closed.unwrap_err().is_transient());
    assert_eq!(in_use(&world), 1);
    close(&world, &machine).await.unwrap();
    assert_eq!(in_use(&world), 1);
}

#[tokio::test]
async fn a_machine_closes_when_the_counter_was_lost() {
    let world = world().await;
    let (machine, _) = create(&world, 20, None).await;
    let request = json!({"TableName": CONTROL, "Key": {"pk": {"S": "quota#admin"}}});
    world
        .dynamo
        .call("DeleteItem", request.to_string().as_bytes());
    close(&world, &machine).await.unwrap();
    assert_eq!(in_use(&world), 0);
}

#[tokio::test]
async fn closers_that_meet_others_try_again_and_then_say_so() {
    let world = world().await;
    let (machine, _) = create(&world, 20, None).await;
    let conflict = Trouble::Refused(Refusal::Code("TransactionCanceledException"));
    let fault = CallFault::new("", &dynamo("TransactWriteItems"), conflict);
    world.faults.arm(CallFault {
        times: ALWAYS,
        ..fault.clone()
    });
    let closed = world.invoke("test", || close(&world, &machine)).await;
    assert!(closed.unwrap().unwrap_err().is_transient());
    assert_eq!(in_use(&world), 1);
    world.faults.clear();
    world.faults.arm(CallFault { times: 3, ..fault });
    let closed = world.invoke("test", || close(&world, &machine)).await;
    closed.unwrap().unwrap();
    assert_eq!(in_use(&world), 0);
}

#[tokio::test]
async fn a_machine_from_before_the_quota_is_counted_once() {
    let world = world().await;
    let machine = super::stored(&world).await;
    // As it was when nobody counted.
    let forget = |machine: &mut Machine| machine.counted = false;
    world.store.update(&machine.id, forget).await.unwrap();
    assert_eq!(in_use(&world), 0);
    let now = world.clock.now();
    assert!(world.store.adopt(&machine.id, now).await.unwrap());
    assert!(!world.store.adopt(&machine.id, now).await.unwrap());
    assert_eq!(in_use(&world), 1);
    close(&world, &machine).await.unwrap();
    assert!(!world.store.adopt(&machine.id, now).await.unwrap());
    assert_eq!(in_use(&world), 0);
}

#[tokio::test]
async fn machines_of_owners_without_a_quota_are_counted_as_well() {
    for seed in 0..2 {
        let world = World::start(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        // Some of them in the way of others, and some answers get lost.
        let conflict = Trouble::Refused(Refusal::Code("TransactionCanceledException"));
        for trouble in [conflict, Trouble::Lost] {
            let fault = CallFault::new("", &dynamo("TransactWriteItems"), trouble);
            world.faults.arm(CallFault {
                skip: 5,
                times: 2,
                ..fault
            });
        }
        let now = world.clock.now();
        let new = async || {
            let machine = machine(&world);
            let created = world.store.create(&machine, None, None, now).await;
            (machine, created.unwrap())
        };
        let answers = together((0..60).map(|_| world.invoke("test", new))).await;
        let made: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(made.iter().all(|(_, created)| *created == Created::New));
        assert_eq!(in_use(&world), 60, "seed {seed}");
        for (machine, _) in &made[..58] {
            close(&world, machine).await.unwrap();
        }
        assert_eq!(in_use(&world), 2, "seed {seed}");
        // A quota that is set now is right at once.
        let full = Created::QuotaFull { limit: 2 };
        assert_eq!(create(&world, 2, None).await.1, full);
        close(&world, &made[58].0).await.unwrap();
        assert_eq!(create(&world, 2, None).await.1, Created::New);
        assert_eq!(create(&world, 2, None).await.1, full);
    }
}
