//! One request makes one machine, however often it arrives.

use std::time::Duration;

use haulout_aws::store::{Created, Idempotency};
use haulout_domain::machine::Machine;
use haulout_tests::{
    call::Refusal,
    faults::{ALWAYS, CallFault, Trouble},
    life::together,
    settings::Settings,
    world::World,
};

use super::{dynamo, machine, world};

fn key(scope: &str, body: &str, machine: &Machine) -> Idempotency {
    Idempotency {
        scope: scope.to_owned(),
        fingerprint: body.to_owned(),
        answer: format!("answer of {}", machine.id),
    }
}

/// Creates a new machine under this key, as a request with this body does.
async fn create(world: &World, scope: &str, body: &str) -> (Machine, Created) {
    let machine = machine(world);
    let key = key(scope, body, &machine);
    let created = world
        .store
        .create(&machine, Some(&key), None, world.clock.now())
        .await;
    (machine, created.unwrap())
}

#[tokio::test]
async fn the_same_request_is_answered_as_before() {
    let world = world().await;
    let (first, created) = create(&world, "a", "body").await;
    assert_eq!(created, Created::New);
    let (second, created) = create(&world, "a", "body").await;
    let answer = format!("answer of {}", first.id);
    assert_eq!(
        created,
        Created::Before {
            machine: first.id.clone(),
            answer
        }
    );
    assert_eq!(world.store.get(&second.id).await.unwrap(), None);
    assert_eq!(world.machine(&first.id).await, first);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let world = world().await;
    create(&world, "a", "body").await;
    assert_eq!(
        create(&world, "a", "other body").await.1,
        Created::OtherRequest
    );
    assert_eq!(create(&world, "b", "other body").await.1, Created::New);
    assert_eq!(world.machines().await.len(), 2);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = world().await;
    create(&world, "a", "body").await;
    world.jump(Duration::from_secs(24 * 3_600 - 1));
    assert_eq!(
        create(&world, "a", "other body").await.1,
        Created::OtherRequest
    );
    // DynamoDB deletes late: the key is still there, and no longer counts.
    world.jump(Duration::from_secs(1));
    assert_eq!(create(&world, "a", "other body").await.1, Created::New);
}

#[tokio::test]
async fn requests_at_the_same_time_make_one_machine() {
    for seed in 0..8 {
        let world = World::start(Settings {
            shuffle: Some(seed),
            ..Settings::default()
        })
        .await;
        let requests = (0..16).map(|_| world.invoke("test", || create(&world, "a", "body")));
        let results = together(requests).await;
        let made: Vec<_> = results
            .into_iter()
            .map(Result::unwrap)
            .filter(|(_, created)| *created == Created::New)
            .collect();
        assert_eq!(made.len(), 1, "seed {seed}");
        let stored = world.machines().await;
        assert_eq!(stored, [made[0].0.clone()], "seed {seed}");
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_machine() {
    let world = world().await;
    let write = dynamo("TransactWriteItems");
    world.faults.arm(CallFault {
        times: 1,
        ..CallFault::new("", &write, Trouble::Lost)
    });
    let (machine, created) = world
        .invoke("test", || create(&world, "a", "body"))
        .await
        .unwrap();
    assert_eq!(created, Created::New);
    assert_eq!(world.machines().await, [machine]);
    assert_eq!(world.faults.log().len(), 2, "lost, and repeated");
}

#[tokio::test]
async fn a_request_repeated_after_an_error_finds_the_machine_it_made() {
    let world = world().await;
    let fault = CallFault::new("", &dynamo("TransactWriteItems"), Trouble::Lost);
    world.faults.arm(CallFault { times: 3, ..fault });
    let first = machine(&world);
    let now = world.clock.now();
    let first_key = key("a", "body", &first);
    let failed = world
        .invoke("test", || {
            world.store.create(&first, Some(&first_key), None, now)
        })
        .await
        .unwrap();
    assert!(failed.unwrap_err().is_transient());
    let (_, created) = world
        .invoke("test", || create(&world, "a", "body"))
        .await
        .unwrap();
    assert!(matches!(created, Created::Before { machine, .. } if machine == first.id));
    assert_eq!(world.machines().await.len(), 1);
}

#[tokio::test]
async fn transactions_that_meet_are_tried_again() {
    let world = world().await;
    let conflict = Trouble::Refused(Refusal::Code("TransactionCanceledException"));
    let fault = CallFault::new("", &dynamo("TransactWriteItems"), conflict);
    world.faults.arm(CallFault {
        times: 3,
        ..fault.clone()
    });
    let (_, created) = world
        .invoke("test", || create(&world, "a", "body"))
        .await
        .unwrap();
    assert_eq!(created, Created::New);

    world.faults.arm(CallFault {
        times: ALWAYS,
        ..fault
    });
    let machine = machine(&world);
    let (key, now) = (key("b", "body", &machine), world.clock.now());
    let created = world
        .invoke("test", || {
            world.store.create(&machine, Some(&key), None, now)
        })
        .await
        .unwrap();
    assert!(created.unwrap_err().is_transient());
    assert_eq!(world.machines().await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_without_a_key_is_a_success() {
    let world = world().await;
    world.faults.arm(CallFault {
        times: 1,
        ..CallFault::new("", &dynamo("PutItem"), Trouble::Lost)
    });
    let (machine, now) = (machine(&world), world.clock.now());
    let created = world
        .invoke("test", || world.store.create(&machine, None, None, now))
        .await
        .unwrap();
    assert_eq!(created.unwrap(), Created::New);
    assert_eq!(world.machines().await, [machine]);
}
