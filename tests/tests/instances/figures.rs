//! GET /instances/{id}/metrics.

use std::time::Duration;

use haulout_tests::call::{Refusal, Service};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::support::Machines;

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn figures_go_back_sixty_periods_and_no_further_than_the_launch() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({})).await;
    let path = format!("/instances/{}/metrics", machine.id);
    machines.world.jump(Duration::from_mins(30));
    let young = machines.get(&path).await;
    assert_eq!(young.status, 200, "{}", young.text());
    let young = young.json();
    assert_eq!(young["period_seconds"], 300);
    assert_eq!(time(&young["from"]), machine.launch_requested_at.unwrap());
    assert_eq!(time(&young["to"]), machines.world.clock.now());
    assert_eq!(
        young["instance_id"],
        machine.instance_id.as_ref().unwrap().as_str()
    );
    let cpu = young["cpu_utilization"].as_array().unwrap();
    assert!((3..=7).contains(&cpu.len()), "{cpu:?}");
    for point in cpu {
        assert!((0.0..=100.0).contains(&point["percent"].as_f64().unwrap()));
        time(&point["at"]);
    }
    let checks = young["status_check_failed"].as_array().unwrap();
    assert!(
        !checks.is_empty() && checks.iter().all(|it| it["value"] == 0.0),
        "{checks:?}"
    );

    machines.world.jump(Duration::from_hours(24));
    let old = machines.get(&format!("{path}?period=60")).await.json();
    let span = time(&old["to"]).duration_since(time(&old["from"]));
    assert_eq!(span, SignedDuration::from_hours(1));
}

#[tokio::test]
async fn an_ended_machines_figures_go_up_to_its_end() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({})).await;
    machines.delete(&format!("/instances/{}", machine.id)).await;
    let machine = machines.see(&machine).await;
    machines.world.jump(Duration::from_hours(2));
    let path = format!("/instances/{}/metrics", machine.instance_id.unwrap());
    let view = machines.get(&path).await.json();
    assert_eq!(time(&view["to"]), machine.gone_at.unwrap());
}

#[tokio::test]
async fn periods_are_minutes_up_to_a_day() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({})).await;
    for period in ["0", "59", "61", "90", "86460", "-60", "hour", ""] {
        let path = format!("/instances/{}/metrics?period={period}", machine.id);
        let answer = machines.get(&path).await;
        assert_eq!(answer.problem(400), "invalid_query", "{period}");
        assert!(answer.detail().contains("period"), "{}", answer.detail());
    }
    for period in ["60", "3600", "86400"] {
        let path = format!("/instances/{}/metrics?period={period}", machine.id);
        assert_eq!(machines.get(&path).await.status, 200, "{period}");
    }
}

#[tokio::test]
async fn there_are_no_figures_without_an_instance_or_cloudwatch() {
    let machines = Machines::plain().await;
    let machine = machines.create(&json!({})).await;
    let answer = machines
        .get(&format!("/instances/{}/metrics", machine.id))
        .await;
    assert_eq!(answer.problem(409), "no_instance");
    assert!(answer.detail().contains("waiting_for_instance"));
    let machine = machines.ready(&json!({})).await;
    for refusal in [Refusal::Throttled, Refusal::AccessDenied] {
        machines.refuse(Service::CloudWatch, "GetMetricData", refusal);
        let answer = machines
            .get(&format!("/instances/{}/metrics", machine.id))
            .await;
        assert_eq!(answer.problem(503), "unavailable");
        assert!(!answer.header("retry-after").is_empty());
        machines.world.faults.clear();
    }
}

#[tokio::test]
async fn an_instance_launched_this_very_second_has_no_figures_yet() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({})).await;
    let now = machines.world.clock.now();
    machines
        .change(&machine, |machine| machine.launch_requested_at = Some(now))
        .await;
    let path = format!("/instances/{}/metrics", machine.id);
    let answer = machines.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["cpu_utilization"], json!([]));
}
