//! Client tokens: one token, one launch, whatever happens.

use std::collections::BTreeSet;

use aws_sdk_ec2::config::retry::RetryConfig;
use haulout_local::sim::Fault;

use super::{ARM, Lab, code, ec2, seeded};

/// What the token's launch answers.
async fn launch(client: &aws_sdk_ec2::Client, token: &str) -> Vec<String> {
    let answer = client
        .run_instances()
        .launch_template(seeded())
        .client_token(token)
        .min_count(1)
        .max_count(1);
    let answer = answer.send().await.unwrap();
    answer
        .instances()
        .iter()
        .map(|i| i.instance_id().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_calls_at_once_launch_one_instance() {
    let lab = Lab::new(|_| {}).await;
    let calls: Vec<_> = (0..32)
        .map(|_| {
            // Each with connections of its own.
            let client = ec2(&lab.sim.url(), RetryConfig::disabled());
            tokio::spawn(async move { launch(&client, "m-1-1").await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for call in calls {
        ids.extend(call.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    let state = lab.sim.state();
    assert_eq!(
        (state.launched, state.calls_of("ec2", "RunInstances")),
        (1, 32)
    );
}

#[tokio::test]
async fn a_token_stands_for_its_instance_even_after_termination() {
    let lab = Lab::new(|_| {}).await;
    let first = lab.launch("t").await;
    lab.terminate(&first).await;
    lab.advance(60);
    assert_eq!(lab.launch("t").await, first);
    assert_eq!(lab.state(&first).await, "terminated");
    // Gone from sight, but not from memory.
    lab.advance(3_600);
    assert_eq!(lab.launch("t").await, first);
    assert_eq!(lab.sim.state().launched, 1);
    // EC2 promises a day.
    lab.advance(24 * 3_600);
    lab.sim.settle().await;
    assert_ne!(lab.launch("t").await, first);
}

#[tokio::test]
async fn a_token_with_other_parameters_is_refused() {
    let lab = Lab::new(|_| {}).await;
    let first = lab.launch("t").await;
    let other = || {
        lab.ec2
            .run_instances()
            .launch_template(seeded())
            .client_token("t")
            .min_count(1)
    };
    assert_eq!(
        code(other().max_count(2).send().await),
        "IdempotentParameterMismatch"
    );
    let changed = other()
        .max_count(1)
        .instance_type("t3.large".into())
        .send()
        .await;
    assert_eq!(code(changed), "IdempotentParameterMismatch");
    assert_eq!(lab.launch("t").await, first);
    assert_ne!(lab.launch("u").await, first);
    assert_eq!(lab.sim.state().launched, 2);
}

#[tokio::test]
async fn a_refused_launch_does_not_use_its_token_up() {
    let lab = Lab::new(|_| {}).await;
    let wrong = lab
        .ec2
        .run_instances()
        .image_id(ARM)
        .instance_type("t3.medium".into())
        .client_token("t");
    assert_eq!(
        code(wrong.min_count(1).max_count(1).send().await),
        "InvalidParameterValue"
    );
    lab.launch("t").await;
    assert_eq!(lab.sim.state().launched, 1);
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_token() {
    let lab = Lab::new(|_| {}).await;
    lab.sim
        .arm_fault(Fault::new("ec2", "RunInstances", "lost_response").after_effect())
        .unwrap();
    let lost = lab
        .ec2
        .run_instances()
        .launch_template(seeded())
        .client_token("t")
        .min_count(1)
        .max_count(1);
    assert!(lost.send().await.unwrap_err().raw_response().is_none());
    let launched = lab.sim.state().machines[0].instance_id.clone();
    assert_eq!(lab.launch("t").await, launched);
    assert_eq!(lab.sim.state().launched, 1);
}

#[tokio::test]
async fn the_sdks_own_retries_find_it_again_too() {
    let lab = Lab::new(|_| {}).await;
    lab.sim
        .arm_fault(
            Fault::new("ec2", "RunInstances", "lost_response")
                .after_effect()
                .times(2),
        )
        .unwrap();
    let client = ec2(&lab.sim.url(), RetryConfig::standard().with_max_attempts(3));
    assert_eq!(launch(&client, "t").await.len(), 1);
    let state = lab.sim.state();
    assert_eq!(
        (state.launched, state.calls_of("ec2", "RunInstances")),
        (1, 3)
    );
}

#[tokio::test]
async fn a_reservation_of_several_comes_back_whole() {
    let lab = Lab::new(|_| {}).await;
    let three = async || {
        let call = lab
            .ec2
            .run_instances()
            .launch_template(seeded())
            .client_token("t");
        let answer = call.min_count(3).max_count(3).send().await.unwrap();
        let ids: Vec<_> = answer
            .instances()
            .iter()
            .map(|i| i.instance_id().unwrap().to_owned())
            .collect();
        (answer.reservation_id().unwrap().to_owned(), ids)
    };
    let first = three().await;
    assert_eq!(first.1.len(), 3);
    assert_eq!(three().await, first);
    assert_eq!(lab.sim.state().launched, 3);
}
