//! CloudWatch's figures of machines, asked for with the real SDK.

use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy};
use haulout_local::sim::Fault;

use super::Lab;

type Points = Vec<(i64, f64)>;

fn client(lab: &Lab) -> Client {
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(lab.sim.url())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn query(instance: &str, name: &str, period: i32, stat: &str) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace("AWS/EC2")
        .metric_name(name)
        .dimensions(
            Dimension::builder()
                .name("InstanceId")
                .value(instance)
                .build(),
        );
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(period)
        .stat(stat);
    MetricDataQuery::builder()
        .id("q")
        .metric_stat(stat.build())
        .build()
}

async fn ask(
    lab: &Lab,
    query: MetricDataQuery,
    minutes: i64,
) -> Result<Points, SdkError<GetMetricDataError>> {
    let now = lab.sim.clock().now().as_second();
    let answer = client(lab)
        .get_metric_data()
        .metric_data_queries(query)
        .start_time(DateTime::from_secs(now - minutes * 60))
        .end_time(DateTime::from_secs(now))
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await?;
    let result = &answer.metric_data_results()[0];
    assert_eq!(result.id(), Some("q"));
    assert_eq!(result.status_code().unwrap().as_str(), "Complete");
    let times = result.timestamps().iter().map(DateTime::secs);
    Ok(times.zip(result.values().iter().copied()).collect())
}

fn values(points: &Points) -> Vec<f64> {
    points.iter().map(|(_, value)| *value).collect()
}

#[tokio::test]
async fn cpu_is_told_every_five_minutes_and_never_changes_afterwards() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    let cpu = |period, stat| query(&id, "CPUUtilization", period, stat);
    lab.advance(290);
    assert_eq!(ask(&lab, cpu(300, "Average"), 60).await.unwrap(), []);
    lab.advance(3_310);
    let hour = ask(&lab, cpu(300, "Average"), 60).await.unwrap();
    // The first five minutes began before it ran.
    assert_eq!(hour.len(), 11);
    assert!(hour.windows(2).all(|pair| pair[1].0 - pair[0].0 == 300));
    assert!(
        values(&hour)
            .iter()
            .all(|value| (0.0..=100.0).contains(value))
    );
    let (busy, idle) = (hour[0].1, hour[10].1);
    assert!(busy > 30.0 && idle < 10.0, "{hour:?}");
    lab.advance(600);
    let later = ask(&lab, cpu(300, "Average"), 70).await.unwrap();
    assert_eq!(later[..11], hour);
    let [(_, sum)] = ask(&lab, cpu(7_200, "SampleCount"), 240).await.unwrap()[..] else {
        panic!("not one period")
    };
    assert!((sum - 13.0).abs() < 1e-9, "{sum}");
    let greatest = ask(&lab, cpu(7_200, "Maximum"), 240).await.unwrap();
    let of_all = values(&later).into_iter().fold(0.0, f64::max);
    assert!((greatest[0].1 - of_all).abs() < 1e-9);
    let other = query("i-0123456789abcdef0", "CPUUtilization", 300, "Average");
    assert_eq!(ask(&lab, other, 60).await.unwrap(), []);
}

#[tokio::test]
async fn status_checks_are_told_every_minute_while_it_runs() {
    let lab = Lab::new(|_| {}).await;
    let good = lab.launch("good").await;
    lab.sim
        .arm_fault(Fault::new("machine", "status", "never"))
        .unwrap();
    let bad = lab.launch("bad").await;
    lab.advance(600);
    let failed = async |id: &str, metric: &str| {
        let points = ask(&lab, query(id, metric, 60, "Maximum"), 20).await;
        values(&points.unwrap())
    };
    for (id, metric, value) in [
        (&good, "StatusCheckFailed", 0.0),
        (&good, "StatusCheckFailed_Instance", 0.0),
        (&bad, "StatusCheckFailed", 1.0),
        (&bad, "StatusCheckFailed_Instance", 1.0),
        (&bad, "StatusCheckFailed_System", 0.0),
    ] {
        assert_eq!(failed(id, metric).await, [value; 9], "{id} {metric}");
    }
    lab.ec2
        .stop_instances()
        .instance_ids(&good)
        .send()
        .await
        .unwrap();
    lab.advance(3_600);
    assert_eq!(failed(&good, "StatusCheckFailed").await, [0.0; 0]);
}

#[tokio::test]
async fn what_cloudwatch_refuses_and_how_it_fails() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    let refused = async |query, minutes| {
        let error = ask(&lab, query, minutes).await.unwrap_err();
        error.code().unwrap().to_owned()
    };
    let cpu = || query(&id, "CPUUtilization", 300, "Average");
    let odd = query(&id, "CPUUtilization", 90, "Average");
    assert_eq!(refused(odd, 60).await, "ValidationError");
    assert_eq!(refused(cpu(), 0).await, "ValidationError");
    let percentile = query(&id, "CPUUtilization", 300, "p99");
    assert_eq!(refused(percentile, 60).await, "ValidationError");
    lab.sim
        .arm_fault(Fault::new("cloudwatch", "GetMetricData", "Throttling"))
        .unwrap();
    assert_eq!(refused(cpu(), 60).await, "Throttling");
    lab.sim
        .arm_fault(
            Fault::new("cloudwatch", "GetMetricData", "InternalServiceFault")
                .delay(Duration::from_millis(1)),
        )
        .unwrap();
    assert_eq!(refused(cpu(), 60).await, "InternalServiceFault");
    assert_eq!(lab.sim.state().calls_of("cloudwatch", "GetMetricData"), 5);
}
