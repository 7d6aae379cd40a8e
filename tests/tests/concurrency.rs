//! Many requests at once: the quota is exact, a machine comes to one end, and repeated requests make one machine. The
//! AWS calls of all requests are let through one by one in an order that a seed decides.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod crowd;

use std::{collections::BTreeSet, time::Duration};

use haulout_domain::{
    ids::MachineId,
    status::{Desired, Status},
};
use haulout_tests::{
    call::{Refusal, Service},
    faults::Trouble,
    gateway::Answer,
    life::together,
    random::Random,
    world::usual_request,
};
use serde_json::{Value, json};

use self::crowd::{Crowd, id};

/// The orders that are tried.
const SEEDS: std::ops::Range<u64> = 1..6;
/// The orders of 200 requests, which take longer.
const LONG_SEEDS: std::ops::Range<u64> = 1..3;

/// Sends all of them at once; whoever is told to come back later does, until there is an answer.
async fn all_created(crowd: &Crowd, keys: &[String]) -> (BTreeSet<MachineId>, usize) {
    let (mut made, mut full) = (BTreeSet::new(), 0);
    let mut left: Vec<&String> = keys.iter().collect();
    for _ in 0..10 {
        let body = usual_request();
        let requests = left.iter().map(|key| crowd.create(Some(key), &body));
        let answers = together(requests).await;
        let mut again = Vec::new();
        for (key, answer) in left.into_iter().zip(answers) {
            match answer.status {
                202 => _ = made.insert(id(&answer)),
                429 => {
                    assert_eq!(answer.problem(429), "quota_exceeded");
                    full += 1;
                }
                503 => {
                    assert!(
                        !answer.header("retry-after").is_empty(),
                        "{}",
                        answer.text()
                    );
                    again.push(key);
                }
                other => unreachable!("{other}: {}", answer.text()),
            }
        }
        left = again;
    }
    assert!(left.is_empty(), "{} were never answered", left.len());
    (made, full)
}

async fn quota_of_20_with_200_creates(seed: Option<u64>, troubled: bool) {
    const QUOTA: u32 = 20;
    const REQUESTS: usize = 200;
    let crowd = Crowd::start(seed, Some(QUOTA)).await;
    if troubled {
        // As DynamoDB does when many transactions want the same item; and answers are lost.
        let met = Trouble::Refused(Refusal::Code("TransactionInProgressException"));
        crowd.arm(Service::DynamoDb, "TransactWriteItems", met, 10, 300);
        for skip in [5, 90, 180, 350] {
            crowd.arm(
                Service::DynamoDb,
                "TransactWriteItems",
                Trouble::Lost,
                skip,
                3,
            );
        }
    }
    let keys: Vec<String> = (0..REQUESTS)
        .map(|number| format!("key-{number}"))
        .collect();
    let (made, full) = all_created(&crowd, &keys).await;
    assert_eq!((made.len(), full), (20, REQUESTS - 20), "seed {seed:?}");
    assert_eq!(crowd.in_use(), u64::from(QUOTA), "seed {seed:?}");
    assert_eq!(crowd.world.machines().await.len(), 20, "seed {seed:?}");
    crowd.settle("created").await;
    assert_eq!(crowd.alive(), 20, "seed {seed:?}");
    assert_eq!(crowd.in_use(), u64::from(QUOTA), "seed {seed:?}");
    // All of them end at once, each asked for it twice.
    let ends = made.iter().chain(&made).map(|id| crowd.act(id, "delete"));
    for answer in together(ends).await {
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    crowd.settle("deleted").await;
    assert_eq!((crowd.alive(), crowd.in_use()), (0, 0), "seed {seed:?}");
    // Every place is free again, and no more than those.
    let (made, full) = all_created(&crowd, &[1, 2, 3].map(|n| format!("again-{n}"))).await;
    assert_eq!((made.len(), full, crowd.in_use()), (3, 0, 3));
}

#[tokio::test]
async fn of_200_parallel_creates_a_quota_of_20_lets_exactly_20_through() {
    quota_of_20_with_200_creates(None, false).await;
    for seed in LONG_SEEDS {
        quota_of_20_with_200_creates(Some(seed), false).await;
    }
}

#[tokio::test]
async fn the_quota_is_exact_though_transactions_meet_and_answers_are_lost() {
    for seed in LONG_SEEDS {
        quota_of_20_with_200_creates(Some(seed), true).await;
    }
}

/// A machine that is ready.
async fn ready(crowd: &Crowd) -> MachineId {
    let id = id(&crowd.create(None, &usual_request()).await);
    crowd.settle("up").await;
    assert_eq!(crowd.status(&id).await, Status::Ready);
    id
}

/// What 50 requests may be answered: done, or where the machine is instead. Never a 5xx.
fn assert_answered(answers: &[Answer], what: &str) {
    for answer in answers {
        match answer.status {
            202 => {}
            409 => assert_eq!(answer.problem(409), "conflict", "{what}"),
            other => unreachable!("{what}: {other}: {}", answer.text()),
        }
    }
}

#[tokio::test]
async fn of_50_parallel_stops_and_starts_one_end_comes() {
    for seed in SEEDS {
        let crowd = Crowd::start(Some(seed), Some(5)).await;
        let id = ready(&crowd).await;
        let mut random = Random::new(seed);
        // Again from where it came to rest, ready or stopped.
        for round in 0..4 {
            let what = format!("seed {seed}, round {round}");
            let verbs: Vec<&str> = (0..50).map(|_| *random.pick(&["start", "stop"])).collect();
            let answers = crowd.all_at_once(&id, &verbs).await;
            assert_answered(&answers, &what);
            crowd.settle(&what).await;
            let machine = crowd.world.machine(&id).await;
            assert!(
                matches!(machine.status, Status::Ready | Status::Stopped),
                "{what}: {machine:?}"
            );
            assert_eq!((crowd.alive(), crowd.in_use()), (1, 1), "{what}");
        }
        assert_eq!(crowd.world.sim.state().launched, 1, "seed {seed}");
    }
}

#[tokio::test]
async fn of_50_parallel_starts_stops_and_deletes_the_delete_wins() {
    for seed in SEEDS {
        for stopped_before in [false, true] {
            let what = format!("seed {seed}, stopped before: {stopped_before}");
            let crowd = Crowd::start(Some(seed), Some(5)).await;
            let id = ready(&crowd).await;
            if stopped_before {
                crowd.act(&id, "stop").await;
                crowd.settle(&what).await;
            }
            let mut random = Random::new(seed);
            let mut verbs: Vec<&str> = (0..50)
                .map(|_| *random.pick(&["start", "stop", "delete"]))
                .collect();
            verbs[0] = "delete";
            let answers = crowd.all_at_once(&id, &verbs).await;
            assert_answered(&answers, &what);
            for (verb, answer) in verbs.iter().zip(&answers) {
                assert!(*verb != "delete" || answer.status == 202, "{what}");
            }
            crowd.settle(&what).await;
            assert_eq!(crowd.status(&id).await, Status::Terminated, "{what}");
            assert_eq!((crowd.alive(), crowd.in_use()), (0, 0), "{what}");
            assert_eq!(crowd.world.sim.state().launched, 1, "{what}");
        }
    }
}

/// Of many deletes a later one would hide that an earlier one was undone.
#[tokio::test]
async fn a_stop_that_read_the_record_before_is_not_written_over_a_delete() {
    for seed in 1..16 {
        let crowd = Crowd::start(Some(seed), Some(5)).await;
        let id = ready(&crowd).await;
        let answers = crowd.all_at_once(&id, &["stop", "delete"]).await;
        assert_answered(&answers, &format!("seed {seed}"));
        let wanted = crowd.world.machine(&id).await.desired;
        assert_eq!(wanted, Desired::Terminated, "seed {seed}");
    }
}

/// The same, spread over the minutes in which EC2 and the state machine do their part.
#[tokio::test]
async fn requests_all_through_a_machines_changes_come_to_one_end() {
    for seed in SEEDS {
        let crowd = Crowd::start(Some(seed), Some(5)).await;
        let mut random = Random::new(seed);
        let id = id(&crowd.create(None, &usual_request()).await);
        for wave in 0..10 {
            let what = format!("seed {seed}, wave {wave}");
            let mut verbs: Vec<&str> = (0..5).map(|_| *random.pick(&["start", "stop"])).collect();
            if wave == 9 {
                verbs.push("delete");
            }
            let answers = crowd.all_at_once(&id, &verbs).await;
            assert_answered(&answers, &what);
            let pause = u64::try_from(random.below(30)).unwrap();
            let pause = Duration::from_secs(pause);
            crowd.world.until(pause, async |_| false).await;
        }
        crowd.settle(&format!("seed {seed}")).await;
        assert_eq!(crowd.status(&id).await, Status::Terminated, "seed {seed}");
        assert_eq!((crowd.alive(), crowd.in_use()), (0, 0), "seed {seed}");
        assert_eq!(crowd.world.sim.state().launched, 1, "seed {seed}");
    }
}

#[tokio::test]
async fn a_key_makes_one_machine_however_often_it_is_sent_at_once() {
    for seed in SEEDS {
        let crowd = Crowd::start(Some(seed), Some(3)).await;
        let (body, other) = (usual_request(), json!({"name": "another"}));
        // Four keys for three places; each is sent six times, once with another body.
        let requests: Vec<(String, &Value)> = (0..24)
            .map(|number| {
                let body = if number / 4 == 5 { &other } else { &body };
                (format!("key-{}", number % 4), body)
            })
            .collect();
        let sent = requests
            .iter()
            .map(|(key, body)| crowd.create(Some(key), body));
        let answers = together(sent).await;
        let mut made: BTreeSet<(&str, MachineId)> = BTreeSet::new();
        for ((key, _), answer) in requests.iter().zip(&answers) {
            match answer.status {
                202 => _ = made.insert((key.as_str(), id(answer))),
                409 => assert_eq!(answer.problem(409), "idempotency_key_reused"),
                429 => assert_eq!(answer.problem(429), "quota_exceeded"),
                other => unreachable!("seed {seed}: {other}: {}", answer.text()),
            }
        }
        let keys: BTreeSet<&str> = made.iter().map(|(key, _)| *key).collect();
        assert_eq!((made.len(), keys.len()), (3, 3), "seed {seed}: {made:?}");
        assert_eq!(crowd.in_use(), 3, "seed {seed}");
        crowd.settle(&format!("seed {seed}")).await;
        assert_eq!(crowd.world.sim.state().launched, 3, "seed {seed}");
    }
}

#[tokio::test]
async fn a_request_repeated_while_its_machine_is_deleted_makes_no_other() {
    for seed in SEEDS {
        let what = format!("seed {seed}");
        let crowd = Crowd::start(Some(seed), Some(3)).await;
        let first = crowd.create(Some("once"), &usual_request()).await;
        let id = id(&first);
        let pause = Duration::from_secs(Random::new(seed).below(40) as u64);
        crowd.world.until(pause, async |_| false).await;
        let body = usual_request();
        let answers = together((0..30).map(|number| {
            let (crowd, id, body) = (&crowd, &id, &body);
            async move {
                if number % 3 == 0 {
                    crowd.act(id, "delete").await
                } else {
                    crowd.create(Some("once"), body).await
                }
            }
        }))
        .await;
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(answer.status, 202, "{what}: {}", answer.text());
            if number % 3 != 0 {
                assert_eq!(answer.json(), first.json(), "{what}");
            }
        }
        crowd.settle(&what).await;
        assert_eq!(crowd.status(&id).await, Status::Terminated, "{what}");
        assert_eq!(crowd.world.machines().await.len(), 1, "{what}");
        assert_eq!((crowd.alive(), crowd.in_use()), (0, 0), "{what}");
        assert!(crowd.world.sim.state().launched <= 1, "{what}");
    }
}
