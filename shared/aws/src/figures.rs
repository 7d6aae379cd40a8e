//! CloudWatch: an instance's figures over time.

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy},
};
use haulout_domain::ids::InstanceId;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::AwsError;

/// EC2's own metrics. Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html>
const NAMESPACE: &str = "AWS/EC2";

/// What is asked for: query id, metric, statistic.
const SERIES: [(&str, &str, &str); 4] = [
    ("cpu", "CPUUtilization", "Average"),
    ("failed", "StatusCheckFailed", "Maximum"),
    ("failed_instance", "StatusCheckFailed_Instance", "Maximum"),
    ("failed_system", "StatusCheckFailed_System", "Maximum"),
];

/// A figure at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// When its period began.
    pub at: Timestamp,
    /// The figure.
    pub value: f64,
}

/// Figures of an instance, oldest first. Empty where CloudWatch has none (yet).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InstanceFigures {
    /// CPU use in percent, on average over each period.
    pub cpu_utilization: Vec<Point>,
    /// 1 where any status check failed in the period, otherwise 0.
    pub status_check_failed: Vec<Point>,
    /// The same for the check of the instance.
    pub status_check_failed_instance: Vec<Point>,
    /// The same for the check of the host under it.
    pub status_check_failed_system: Vec<Point>,
}

/// CloudWatch.
#[derive(Debug, Clone)]
pub struct Figures {
    client: Client,
}

impl Figures {
    /// CloudWatch of the account and region of this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// An instance's figures from a time on until another one, each over a period in seconds (a multiple of 60).
    /// EC2 reports every 5 minutes, with detailed monitoring every minute: a shorter period leaves gaps.
    pub async fn of_instance(
        &self,
        instance: &InstanceId,
        period_seconds: u32,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<InstanceFigures, AwsError> {
        let queries = SERIES
            .iter()
            .map(|series| query(instance, series, period_seconds))
            .collect();
        let mut pages = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(time(from))
            .end_time(time(to))
            .scan_by(ScanBy::TimestampAscending)
            .into_paginator()
            .send();
        let mut figures = InstanceFigures::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new("GetMetricData", error))?;
            for result in page.metric_data_results() {
                if let Some(series) = figures.series(result.id().unwrap_or_default()) {
                    series.extend(points(result)?);
                }
            }
        }
        Ok(figures)
    }
}

impl InstanceFigures {
    /// The series that a query asks for.
    fn series(&mut self, query: &str) -> Option<&mut Vec<Point>> {
        match query {
            "cpu" => Some(&mut self.cpu_utilization),
            "failed" => Some(&mut self.status_check_failed),
            "failed_instance" => Some(&mut self.status_check_failed_instance),
            "failed_system" => Some(&mut self.status_check_failed_system),
            _ => None,
        }
    }
}

fn query(
    instance: &InstanceId,
    (id, metric, statistic): &(&str, &str, &str),
    period_seconds: u32,
) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace(NAMESPACE)
        .metric_name(*metric)
        .dimensions(
            Dimension::builder()
                .name("InstanceId")
                .value(instance.as_str())
                .build(),
        )
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(i32::try_from(period_seconds).unwrap_or(i32::MAX))
        .stat(*statistic)
        .build();
    MetricDataQuery::builder()
        .id(*id)
        .metric_stat(stat)
        .return_data(true)
        .build()
}

fn points(result: &MetricDataResult) -> Result<Vec<Point>, AwsError> {
    let times = result.timestamps().iter();
    times
        .zip(result.values())
        .map(|(at, value)| {
            let at = Timestamp::from_second(at.secs())
                .map_err(|_| AwsError::incomplete("GetMetricData", "a time that can be read"))?;
            Ok(Point { at, value: *value })
        })
        .collect()
}

fn time(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.as_second())
}
