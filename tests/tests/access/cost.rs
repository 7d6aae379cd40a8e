//! What it costs to know who calls.

use std::time::Duration;

use haulout_domain::access::Role;
use haulout_tests::{call::Refusal, faults::Trouble};

use super::support::House;

#[tokio::test]
async fn a_request_usually_costs_no_call_and_one_otherwise() {
    let house = House::start().await;
    let mut seen = 0;
    let token = house.log_in("ann", &[Role::User]).await;
    assert_eq!(house.me(&token).await.status, 204);
    assert_eq!(house.calls(&mut seen), (1, 1), "the first of a sandbox");
    for _ in 0..15 {
        assert_eq!(house.me(&token).await.status, 204);
        assert_eq!(house.calls(&mut seen), (0, 0));
        house.world.jump(Duration::from_secs(1));
    }
    house.world.jump(Duration::from_secs(1));
    assert_eq!(house.me(&token).await.status, 204);
    assert_eq!(house.calls(&mut seen), (1, 0), "after 15 s");
    assert_eq!(house.me(&token).await.status, 204);
    assert_eq!(house.calls(&mut seen), (0, 0));
    // Another user's session is one more.
    let other = house.log_in("bob", &[Role::User]).await;
    assert_eq!(house.me(&other).await.status, 204);
    assert_eq!(house.calls(&mut seen), (1, 0));
}

#[tokio::test]
async fn what_is_no_token_of_ours_costs_nothing() {
    let house = House::start().await;
    let mut seen = 0;
    let token = house.log_in("ann", &[Role::User]).await;
    assert_eq!(house.me(&token).await.status, 204);
    let _first = house.calls(&mut seen);
    for wrong in ["x", "a.b.c", &token[1..], &format!("{token}AA")] {
        assert_eq!(house.me(wrong).await.status, 401);
    }
    house.world.jump(Duration::from_secs(100));
    for wrong in ["x", "a.b.c", &format!("{token}AA")] {
        assert_eq!(house.me(wrong).await.status, 401);
    }
    let (calls, _) = house.calls(&mut seen);
    assert_eq!(calls, 0, "no session is looked up");
}

#[tokio::test]
async fn trouble_is_a_503_and_never_an_open_door() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::User]).await;
    house.break_down("BatchGetItem", Trouble::Refused(Refusal::Throttled));
    for _ in 0..3 {
        let answer = house.me(&token).await;
        assert_eq!(answer.problem(503), "unavailable");
        assert_eq!(answer.header("retry-after"), "5");
        assert!(!answer.text().contains("BatchGetItem"), "{}", answer.text());
    }
    house.world.faults.clear();
    assert_eq!(house.me(&token).await.status, 204);
    // What was known a moment ago goes on for a moment.
    house.break_down("BatchGetItem", Trouble::Lost);
    house.world.jump(Duration::from_secs(30));
    assert_eq!(house.me(&token).await.status, 204);
    house.world.jump(Duration::from_secs(1));
    assert_eq!(house.me(&token).await.problem(503), "unavailable");
}
