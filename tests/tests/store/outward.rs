//! What goes to and comes from SNS and CloudWatch.

use std::{collections::BTreeMap, time::Duration};

use haulout_aws::{figures::Figures, notify::Notifier};
use haulout_domain::notice::notices;
use haulout_tests::sns::TOPIC_ARN;
use http::Method;
use serde_json::json;

use super::{machine, world};

#[tokio::test]
async fn a_notice_is_published_as_it_is_where_there_is_a_topic() {
    let world = world().await;
    let told = notices(None, &machine(&world));
    let silent = Notifier::new(world.sdk_config(), None);
    silent.publish(&told[0]).await.unwrap();
    assert_eq!(world.sns.messages(), []);
    let notifier = Notifier::new(world.sdk_config(), Some(TOPIC_ARN.to_owned()));
    notifier.publish(&told[0]).await.unwrap();
    let messages = world.sns.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject, told[0].subject);
    assert_eq!(messages[0].body, told[0].body);
    let attributes: BTreeMap<String, String> = told[0]
        .attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    assert_eq!(messages[0].attributes, attributes);
}

#[tokio::test]
async fn figures_come_in_order_of_time() {
    let world = world().await;
    world
        .request(Method::POST, "/instances", None, Some(&json!({})))
        .await;
    assert!(world.settle(Duration::from_hours(1)).await);
    world.jump(Duration::from_hours(1));
    let instance = world.machines().await[0].instance_id.clone().unwrap();
    let (from, to) = (world.started, world.clock.now());
    let figures = Figures::new(world.sdk_config());
    let figures = figures.of_instance(&instance, 300, from, to).await.unwrap();
    for series in [
        &figures.cpu_utilization,
        &figures.status_check_failed,
        &figures.status_check_failed_instance,
        &figures.status_check_failed_system,
    ] {
        assert!(series.len() > 5, "{figures:?}");
        assert!(series.is_sorted_by(|a, b| a.at < b.at));
        assert!(series.iter().all(|point| point.at >= from && point.at < to));
    }
    assert!(
        figures
            .cpu_utilization
            .iter()
            .any(|point| point.value > 0.0)
    );
}
