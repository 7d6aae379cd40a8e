//! What is kept beside the records: the drain, sightings of strays, where to launch last, answers of AWS.

use std::time::Duration;

use haulout_aws::store::Drain;
use haulout_domain::{offer::Offer, status::Market};

use super::world;

fn offer(market: Market, zone: Option<&str>, subnet: &str) -> Offer {
    Offer {
        market,
        instance_type: "t3.small".parse().ok(),
        subnet_id: subnet.parse().ok(),
        zone: zone.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_drain_goes_on_as_it_began_until_it_ends() {
    let world = world().await;
    let since = world.clock.now();
    assert_eq!(world.store.drain().await.unwrap(), None);
    world.store.end_drain().await.unwrap();
    world.store.start_drain("admin", since).await.unwrap();
    world.jump(Duration::from_mins(1));
    let later = world.clock.now();
    world.store.start_drain("other", later).await.unwrap();
    let drain = Drain {
        since,
        by: "admin".to_owned(),
    };
    assert_eq!(world.store.drain().await.unwrap(), Some(drain));
    world.store.end_drain().await.unwrap();
    assert_eq!(world.store.drain().await.unwrap(), None);
}

#[tokio::test]
async fn a_stray_is_remembered_until_it_is_forgotten_or_long_unseen() {
    let world = world().await;
    let sight = async |resource| {
        let sighting = world.store.sight(resource, world.clock.now()).await;
        let sighting = sighting.unwrap();
        let age = world.clock.now().duration_since(sighting.first);
        (age.as_secs(), sighting.passes)
    };
    assert_eq!(sight("i-1").await, (0, 1));
    world.jump(Duration::from_mins(1));
    assert_eq!(sight("i-1").await, (60, 2));
    assert_eq!(sight("sg-1").await, (0, 1));
    world.store.forget("i-1").await.unwrap();
    assert_eq!(sight("i-1").await, (0, 1));
    world.jump(Duration::from_secs(3_599));
    assert_eq!(sight("i-1").await, (3_599, 2));
    world.jump(Duration::from_hours(1));
    assert_eq!(sight("i-1").await, (0, 1));
}

#[tokio::test]
async fn a_place_without_capacity_is_avoided_for_three_minutes() {
    let world = world().await;
    let a = offer(Market::Spot, Some("us-east-1a"), "subnet-0000000a");
    let sibling = offer(Market::Spot, Some("us-east-1a"), "subnet-0000000b");
    let other_zone = offer(Market::Spot, Some("us-east-1b"), "subnet-0000000c");
    let other_market = offer(Market::OnDemand, Some("us-east-1a"), "subnet-0000000a");
    let no_zone = offer(Market::Spot, None, "subnet-0000000a");
    let all = [
        other_zone,
        sibling.clone(),
        other_market,
        a.clone(),
        no_zone.clone(),
    ];
    let avoided = async || world.store.avoided(&all, world.clock.now()).await.unwrap();
    assert_eq!(avoided().await, []);
    assert_eq!(
        world.store.avoided(&[], world.clock.now()).await.unwrap(),
        []
    );
    let now = world.clock.now();
    world.store.avoid(&a, now).await.unwrap();
    assert_eq!(avoided().await, [sibling.clone(), a.clone()]);
    world.jump(Duration::from_secs(179));
    world
        .store
        .avoid(&no_zone, world.clock.now())
        .await
        .unwrap();
    assert_eq!(avoided().await, [sibling, a, no_zone.clone()]);
    // DynamoDB deletes late: the item is still there, and no longer counts.
    world.jump(Duration::from_secs(1));
    assert_eq!(avoided().await, [no_zone]);
}

#[tokio::test]
async fn more_offers_than_one_read_takes_are_looked_up() {
    let world = world().await;
    let offers: Vec<Offer> = (0..250)
        .map(|number| offer(Market::Spot, None, &format!("subnet-{number:08x}")))
        .collect();
    let now = world.clock.now();
    world.store.avoid(&offers[249], now).await.unwrap();
    let avoided = world.store.avoided(&offers, now).await.unwrap();
    assert_eq!(avoided, offers[249..]);
}

#[tokio::test]
async fn a_cached_answer_is_given_until_its_time_is_over() {
    let world = world().await;
    let now = world.clock.now();
    let until = now + Duration::from_mins(1);
    let value = vec![("a".to_owned(), 1.5)];
    let cached = async |key| -> Option<Vec<(String, f64)>> {
        world.store.cached(key, world.clock.now()).await.unwrap()
    };
    assert_eq!(cached("prices").await, None);
    world.store.cache("prices", &value, until).await.unwrap();
    assert_eq!(cached("prices").await, Some(value));
    assert_eq!(cached("drain").await, None);
    // In another form than the reader's, it is nothing.
    world.store.cache("other", &"text", until).await.unwrap();
    assert_eq!(cached("other").await, None);
    world.jump(Duration::from_mins(1));
    assert_eq!(cached("prices").await, None);
}
