//! One pass at a time: who comes meanwhile leaves a mark, and who died is followed by somebody else.

use std::time::Duration;

use haulout_tests::{
    agenda::Job,
    faults::{Death, Fate, InvocationFault},
    life::together,
    settings::Settings,
};
use jiff::Timestamp;

use super::support::{claim, counts, ends, filled, five, group, pass, passes, pool_event, release};

fn doom(fate: Fate) -> InvocationFault {
    InvocationFault {
        function: "refresh".to_owned(),
        fate,
        skip: 0,
        times: 1,
        until: Timestamp::MAX,
    }
}

#[tokio::test]
async fn who_comes_meanwhile_makes_the_first_go_round_again() {
    let world = five().await;
    claim(&world, "red", None).await;
    world.faults.doom(doom(Fate::Stalled {
        after_calls: 3,
        seconds: 10,
    }));
    world.plan_during_stall(Job::Ec2Event(pool_event()));
    let done = pass(&world).await;
    assert_eq!((done.rounds, done.scaled_to), (2, Some(6)));
    assert_eq!(
        world
            .faults
            .invoked()
            .iter()
            .filter(|it| *it == "refresh.pool")
            .count(),
        3
    );
    // The lease was given back.
    assert_eq!(pass(&world).await.rounds, 1);
}

#[tokio::test]
async fn two_at_once_end_nothing_twice() {
    for seed in 0..6 {
        let world = filled(Settings {
            shuffle: Some(seed),
            ..Settings::default().pooled(5)
        })
        .await;
        claim(&world, "red", None).await;
        passes(&world).await;
        release(&world, "red").await;
        claim(&world, "blue", None).await;
        let done = together((0..3).map(|_| pass(&world))).await;
        let rounds: Vec<u32> = done.iter().map(|it| it.rounds).collect();
        assert!(rounds.iter().sum::<u32>() >= 2, "seed {seed}: {rounds:?}");
        assert_eq!(ends(&world), 1, "seed {seed}");
        assert_eq!(group(&world).desired, 6, "seed {seed}");
        assert_eq!(passes(&world).await.counts, counts(0, 5, 1), "seed {seed}");
    }
}

#[tokio::test]
async fn a_dead_holders_lease_is_taken_over() {
    let world = five().await;
    claim(&world, "red", None).await;
    world.faults.doom(doom(Fate::Killed {
        after_calls: 3,
        death: Death::Exit,
    }));
    assert!(world.sweep(pool_event()).await.is_none());
    world.jump(Duration::from_secs(80));
    assert_eq!(pass(&world).await.rounds, 0);
    world.jump(Duration::from_secs(10));
    let done = pass(&world).await;
    assert_eq!(done.scaled_to, Some(6));
}
