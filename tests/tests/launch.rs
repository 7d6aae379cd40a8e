//! A clean launch, and what it costs.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use haulout_tests::measure::{Trace, launch};

#[tokio::test]
async fn dbg() {
    let world = haulout_tests::world::World::start(haulout_tests::settings::Settings::default()).await;
    let r = world.request(http::Method::POST, "/instances", None, Some(&haulout_tests::world::usual_request())).await;
    println!("{r:?}");
    println!("{:?}", world.settle(std::time::Duration::from_secs(3600)).await);
    println!("{:#?}", world.machines().await);
    println!("{:#?}", world.stepfunctions.executions());
}

/// Bounds of what a launch may cost; the benchmark prints the figures.
#[tokio::test]
async fn a_usual_launch_is_quick_and_cheap() {
    let cost = launch(Trace::USUAL).await.unwrap();
    println!("{cost:#?} calls: {}", cost.call_count());
    assert!(cost.lag_seconds <= 3.0, "{cost:?}");
    assert!(cost.transitions <= 60, "{cost:?}");
}
