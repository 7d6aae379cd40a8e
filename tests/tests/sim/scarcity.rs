//! What is scarce: capacity by zone, type and market, spot prices, the number of spot instances.

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::describe_spot_price_history::DescribeSpotPriceHistoryOutput as History;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder as Run;
use aws_sdk_ec2::types::{InstanceMarketOptionsRequest, MarketType, SpotMarketOptions};
use haulout_local::sim::{Capacity, Fault, Market, SpotPrice};

use super::launch::{SUBNET_B, one};
use super::{Lab, code, filter, seeded};

pub(super) fn on_spot(run: Run, max_price: Option<&str>) -> Run {
    let options = SpotMarketOptions::builder().set_max_price(max_price.map(Into::into));
    run.instance_market_options(
        InstanceMarketOptionsRequest::builder()
            .market_type(MarketType::Spot)
            .spot_options(options.build())
            .build(),
    )
}

fn none(zone: &str, market: Option<Market>) -> Capacity {
    Capacity {
        zone: zone.into(),
        instance_type: "t3.medium".into(),
        market,
        limit: 0,
    }
}

/// The error's code and message.
async fn refused(run: Run) -> (String, String) {
    let error = run.send().await.unwrap_err();
    (
        error.code().unwrap().to_owned(),
        error.message().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn capacity_is_by_market_too() {
    let lab = Lab::new(|_| {}).await;
    lab.sim.set_capacity(vec![none("*", Some(Market::Spot))]);
    let (code, message) = refused(on_spot(one(&lab).launch_template(seeded()), None)).await;
    assert_eq!(code, "InsufficientInstanceCapacity");
    assert_eq!(
        message,
        "There is no Spot capacity available that matches your request."
    );
    lab.launch("on demand").await;
    lab.sim
        .set_capacity(vec![none("us-east-1b", Some(Market::OnDemand))]);
    let in_b = || one(&lab).launch_template(seeded()).subnet_id(SUBNET_B);
    on_spot(in_b(), None).send().await.unwrap();
    let (code, message) = refused(in_b()).await;
    assert_eq!(code, "InsufficientInstanceCapacity");
    assert!(
        message.starts_with(
            "We currently do not have sufficient t3.medium capacity in the Availability Zone you requested (us-east-1b)."
        ) && message.ends_with("or choosing us-east-1a, us-east-1c."),
        "{message}"
    );
    lab.sim.set_capacity(vec![none("*", None)]);
    let (_, message) = refused(one(&lab).launch_template(seeded())).await;
    assert!(
        message.contains("in zones with support for 'gp3' volumes"),
        "{message}"
    );
}

#[tokio::test]
async fn a_start_needs_capacity_and_a_stopped_machine_holds_none() {
    let lab = Lab::new(|_| {}).await;
    let limit = |limit| Capacity {
        limit,
        ..none("*", None)
    };
    lab.sim.set_capacity(vec![limit(1)]);
    let first = lab.online("a").await;
    let stop = |id: &str| lab.ec2.stop_instances().instance_ids(id).send();
    let start = |id: &str| lab.ec2.start_instances().instance_ids(id).send();
    stop(&first).await.unwrap();
    assert_eq!(code(start(&first).await), "IncorrectInstanceState");
    lab.advance(15);
    let second = lab.online("b").await;
    assert_eq!(code(start(&first).await), "InsufficientInstanceCapacity");
    assert_eq!(lab.state(&first).await, "stopped");
    lab.terminate(&second).await;
    start(&first).await.unwrap();
    assert_eq!(code(stop(&first).await), "IncorrectInstanceState");
}

#[tokio::test]
async fn spot_prices_are_told_by_zone_and_type() {
    let lab = Lab::new(|_| {}).await;
    let history = || {
        lab.ec2
            .describe_spot_price_history()
            .instance_types("t3.medium".into())
            .product_descriptions("Linux/UNIX")
            .start_time(aws_sdk_ec2::primitives::DateTime::from_secs(1_767_225_600))
    };
    let price = |answer: &History, zone: &str| {
        let rows = answer.spot_price_history().iter();
        let row = rows
            .clone()
            .find(|row| row.availability_zone() == Some(zone))
            .unwrap();
        row.spot_price().unwrap().parse::<f64>().unwrap()
    };
    let usual = history().send().await.unwrap();
    assert_eq!(usual.spot_price_history().len(), 3);
    // Unlike other actions, this one always has a token; an empty one ends the list.
    assert_eq!(usual.next_token(), Some(""));
    let zones = ["us-east-1a", "us-east-1b", "us-east-1c"].map(|zone| price(&usual, zone));
    assert!(
        zones.iter().all(|price| (0.01..0.0416).contains(price)),
        "{zones:?}"
    );
    let differ = |a: f64, b: f64| (a - b).abs() > 1e-9;
    assert!(
        differ(zones[0], zones[1]) || differ(zones[1], zones[2]),
        "{zones:?}"
    );
    lab.sim.set_spot_prices(vec![SpotPrice {
        zone: "us-east-1c".into(),
        instance_type: "*".into(),
        price: "0.001".parse().unwrap(),
    }]);
    let changed = history().send().await.unwrap();
    assert!((price(&changed, "us-east-1c") - 0.001).abs() < 1e-9);
    let by_zone = history()
        .availability_zone("us-east-1b")
        .send()
        .await
        .unwrap();
    assert_eq!(by_zone.spot_price_history().len(), 1);
    let by_filter = history()
        .filters(filter("availability-zone", &["us-east-1a", "us-east-1c"]))
        .send()
        .await
        .unwrap();
    assert_eq!(by_filter.spot_price_history().len(), 2);
    let all = lab.ec2.describe_spot_price_history().max_results(1_000);
    let all = all.send().await.unwrap();
    assert!(!all.next_token().unwrap().is_empty());
    let unknown = lab
        .ec2
        .describe_spot_price_history()
        .instance_types("t3.huge".into());
    assert_eq!(code(unknown.send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_price_below_the_spot_price_is_refused() {
    let lab = Lab::new(|_| {}).await;
    let price = |zone: &str, price: &str| SpotPrice {
        zone: zone.into(),
        instance_type: "*".into(),
        price: price.parse().unwrap(),
    };
    lab.sim
        .set_spot_prices(vec![price("*", "0.05"), price("us-east-1c", "0.03")]);
    let offer = |max| on_spot(one(&lab).launch_template(seeded()), Some(max));
    let (code, message) = refused(offer("0.0200")).await;
    assert_eq!(code, "SpotMaxPriceTooLow");
    assert_eq!(
        message,
        "Your Spot request price of 0.02 is lower than the minimum required Spot request fulfillment price of 0.03."
    );
    let (code, _) = refused(offer("0.04").subnet_id(SUBNET_B)).await;
    assert_eq!(code, "SpotMaxPriceTooLow");
    let launched = offer("0.04").send().await.unwrap();
    let placement = launched.instances()[0].placement().unwrap();
    assert_eq!(placement.availability_zone(), Some("us-east-1c"));
    let (code, _) = refused(offer("cheap")).await;
    assert_eq!(code, "InvalidParameterValue");
}

#[tokio::test]
async fn an_account_may_have_so_many_spot_instances() {
    let lab = Lab::new(|_| {}).await;
    lab.sim.set_spot_limit(Some(1));
    let launch = || on_spot(one(&lab).launch_template(seeded()), None);
    let first = launch().send().await.unwrap();
    assert_eq!(refused(launch()).await.0, "MaxSpotInstanceCountExceeded");
    lab.launch("on demand").await;
    lab.terminate(first.instances()[0].instance_id().unwrap())
        .await;
    launch().send().await.unwrap();
}

#[tokio::test]
async fn a_machine_can_die_for_want_of_capacity() {
    let lab = Lab::new(|_| {}).await;
    for reason in [
        "Server.InsufficientInstanceCapacity",
        "Server.SpotInstanceTermination",
    ] {
        let mut fault = Fault::new("machine", "boot", "dies");
        fault.reason = Some(reason.into());
        lab.sim.arm_fault(fault).unwrap();
        let launched = on_spot(one(&lab).launch_template(seeded()), None)
            .send()
            .await;
        let id = launched.unwrap().instances()[0]
            .instance_id()
            .unwrap()
            .to_owned();
        assert_eq!(lab.state(&id).await, "pending");
        lab.advance(6);
        let dead = lab.describe(&id).await;
        assert_eq!(dead.state().unwrap().name().unwrap().as_str(), "terminated");
        assert_eq!(dead.state_reason().unwrap().code(), Some(reason));
        let requests = lab.sim.state().spot_requests;
        let request = requests.iter().find(|r| r.instance_id == id).unwrap();
        assert_eq!(
            (request.state, request.status_code),
            ("closed", "instance-terminated-no-capacity")
        );
    }
    assert!(lab.sim.state().volumes.is_empty());
}
