//! Spot: one-time requests, their state, interruption and cancellation.

use aws_sdk_ec2::types::{
    InstanceMarketOptionsRequest, MarketType, ResourceType, SpotInstanceType, SpotMarketOptions,
};
use haulout_local::sim::{InterruptError, Interruption};

use super::launch::{one, tags};
use super::scarcity::on_spot;
use super::{Lab, code, seeded};

#[tokio::test]
async fn a_spot_launch_has_a_one_time_request() {
    let lab = Lab::new(|_| {}).await;
    let market = |kind| {
        let options = SpotMarketOptions::builder()
            .spot_instance_type(kind)
            .max_price("0.05")
            .build();
        InstanceMarketOptionsRequest::builder()
            .market_type(MarketType::Spot)
            .spot_options(options)
            .build()
    };
    let answer = one(&lab)
        .launch_template(seeded())
        .instance_market_options(market(SpotInstanceType::OneTime))
        .tag_specifications(tags(
            ResourceType::SpotInstancesRequest,
            &[("haulout:machine", "m-1")],
        ))
        .send()
        .await
        .unwrap();
    let instance = &answer.instances()[0];
    assert_eq!(instance.instance_lifecycle().unwrap().as_str(), "spot");
    let request_id = instance.spot_instance_request_id().unwrap();
    let requests = lab
        .ec2
        .describe_spot_instance_requests()
        .spot_instance_request_ids(request_id)
        .send()
        .await
        .unwrap();
    let request = &requests.spot_instance_requests()[0];
    assert_eq!(request.instance_id(), instance.instance_id());
    assert_eq!(request.state().unwrap().as_str(), "active");
    assert_eq!(request.status().unwrap().code(), Some("fulfilled"));
    assert_eq!(request.tags()[0].value(), Some("m-1"));
    let persistent = one(&lab)
        .launch_template(seeded())
        .instance_market_options(market(SpotInstanceType::Persistent));
    assert_eq!(code(persistent.send().await), "UnsupportedOperation");
}

#[tokio::test]
async fn a_spot_machine_is_interrupted_after_two_minutes() {
    let lab = Lab::new(|_| {}).await;
    let market = InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .build();
    let launched = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .min_count(1)
        .max_count(1);
    let launched = launched
        .instance_market_options(market)
        .send()
        .await
        .unwrap();
    let id = launched.instances()[0].instance_id().unwrap().to_owned();
    let request = async || {
        let answer = lab
            .ec2
            .describe_spot_instance_requests()
            .send()
            .await
            .unwrap();
        let request = &answer.spot_instance_requests()[0];
        (
            request.state().unwrap().to_string(),
            request.status().unwrap().code().unwrap().to_owned(),
        )
    };
    assert_eq!(
        lab.sim.interrupt(&id).await,
        Err(InterruptError::NotRunning(id.clone()))
    );
    lab.advance(12);
    assert_eq!(
        code(lab.ec2.stop_instances().instance_ids(&id).send().await),
        "UnsupportedOperation"
    );
    lab.sim.interrupt(&id).await.unwrap();
    assert_eq!(
        request().await,
        ("active".into(), "marked-for-termination".into())
    );
    lab.advance(119);
    assert_eq!(lab.state(&id).await, "running");
    lab.advance(1);
    let ending = lab.describe(&id).await;
    assert_eq!(
        ending.state().unwrap().name().unwrap().as_str(),
        "shutting-down"
    );
    assert_eq!(
        ending.state_reason().unwrap().code(),
        Some("Server.SpotInstanceTermination")
    );
    assert_eq!(
        request().await,
        ("closed".into(), "instance-terminated-no-capacity".into())
    );
    let normal = lab.online("t").await;
    assert_eq!(
        lab.sim.interrupt(&normal).await,
        Err(InterruptError::NotSpot(normal))
    );
    assert!(matches!(
        lab.sim.interrupt("i-0").await,
        Err(InterruptError::Unknown(_))
    ));
}

#[tokio::test]
async fn cancelling_a_spot_request_leaves_its_instance() {
    let lab = Lab::new(|_| {}).await;
    let market = InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .build();
    let launched = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .min_count(1)
        .max_count(1);
    let launched = launched
        .instance_market_options(market)
        .send()
        .await
        .unwrap();
    let instance = &launched.instances()[0];
    lab.advance(12);
    let cancel = |id: &str| {
        lab.ec2
            .cancel_spot_instance_requests()
            .spot_instance_request_ids(id)
            .send()
    };
    let cancelled = cancel(instance.spot_instance_request_id().unwrap())
        .await
        .unwrap();
    assert_eq!(
        cancelled.cancelled_spot_instance_requests()[0]
            .state()
            .unwrap()
            .as_str(),
        "cancelled"
    );
    assert_eq!(lab.state(instance.instance_id().unwrap()).await, "running");
    assert_eq!(
        code(cancel("sir-12345678").await),
        "InvalidSpotInstanceRequestID.NotFound"
    );
    assert_eq!(
        code(cancel("sir-1").await),
        "InvalidSpotInstanceRequestID.Malformed"
    );
}

#[tokio::test]
async fn a_closed_request_says_who_ended_it() {
    let lab = Lab::new(|_| {}).await;
    let launch = async || {
        let run = on_spot(one(&lab).launch_template(seeded()), Some("0.5"));
        let launched = run.send().await.unwrap();
        launched.instances()[0].instance_id().unwrap().to_owned()
    };
    let (priced_out, ended) = (launch().await, launch().await);
    lab.advance(12);
    lab.sim
        .interrupt_because(&priced_out, Interruption::Price)
        .await
        .unwrap();
    lab.sim.interrupt(&ended).await.unwrap();
    lab.terminate(&ended).await;
    lab.advance(120);
    let status = |id: &str| {
        let requests = lab.sim.state().spot_requests;
        let request = requests.iter().find(|r| r.instance_id == id).unwrap();
        (request.state, request.status_code)
    };
    assert_eq!(
        status(&priced_out),
        ("closed", "instance-terminated-by-price")
    );
    assert_eq!(status(&ended), ("closed", "instance-terminated-by-user"));
}
