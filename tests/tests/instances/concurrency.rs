//! Many requests at once, in orders that a seed decides: each of their AWS calls may come between any two of another's.

use haulout_domain::{guard::GuardRails, plan::LaunchDefaults, status::Status};
use haulout_tests::{life::together, settings::Settings};
use serde_json::json;

use super::support::Machines;

async fn shuffled(seed: u64, launch: LaunchDefaults) -> Machines {
    let settings = Settings {
        shuffle: Some(seed),
        ..Settings::default()
    };
    Machines::start_with(launch, settings).await
}

#[tokio::test]
async fn two_hundred_creates_at_once_share_a_quota_of_twenty() {
    let launch = LaunchDefaults {
        guard_rails: GuardRails {
            max_machines: Some(20),
            ..GuardRails::default()
        },
        ..LaunchDefaults::default()
    };
    let machines = shuffled(11, launch).await;
    let body = json!({});
    let answers = together((0..200).map(|_| machines.post("/instances", &body))).await;
    let of = |status: u16| answers.iter().filter(|it| it.status == status).count();
    assert_eq!((of(202), of(429)), (20, 180));
    assert_eq!(machines.world.machines().await.len(), 20);
    let executions = machines.world.stepfunctions.executions().len();
    assert_eq!(executions, 20);
}

#[tokio::test]
async fn fifty_stops_starts_and_deletes_at_once_come_to_one_end() {
    for seed in 1..=4 {
        let machines = shuffled(seed, LaunchDefaults::default()).await;
        let machine = machines.ready(&json!({})).await;
        let path = format!("/instances/{}", machine.id);
        let answers = together((0..50).map(|number| {
            let (machines, machine, path) = (&machines, &machine, &path);
            async move {
                match number % 3 {
                    0 => machines.power(machine, "stop").await,
                    1 => machines.power(machine, "start").await,
                    _ => machines.delete(path).await,
                }
            }
        }))
        .await;
        for answer in &answers {
            assert!(matches!(answer.status, 202 | 409), "{}", answer.text());
        }
        let after = machines.world.machine(&machine.id).await;
        assert_eq!(after.status, Status::Terminating, "seed {seed}");
        assert_eq!(machines.state(&after), "shutting-down", "seed {seed}");
    }
}

#[tokio::test]
async fn fifty_stops_and_starts_at_once_stop_a_machine_once() {
    for seed in 1..=4 {
        let machines = shuffled(seed, LaunchDefaults::default()).await;
        let machine = machines.ready(&json!({})).await;
        let verb = |number: u32| {
            if number.is_multiple_of(2) {
                "stop"
            } else {
                "start"
            }
        };
        let answers = together((0..50).map(|number| machines.power(&machine, verb(number)))).await;
        for answer in &answers {
            assert!(matches!(answer.status, 202 | 409), "{}", answer.text());
        }
        let after = machines.world.machine(&machine.id).await;
        assert_eq!(after.status, Status::Stopping, "seed {seed}");
        assert_eq!(machines.state(&after), "stopping", "seed {seed}");
        assert_eq!(machines.counted("stop", "requested"), 1, "seed {seed}");
    }
}
