//! GetMetricData: figures of instances, gathered by period.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::cbor::Writer;
use super::figures::Metric;
use super::invalid;
use crate::sim::answer::ApiError;
use crate::sim::instance::Instance;
use crate::sim::state::Call;

/// CloudWatch's limit on queries of one call.
const MAX_QUERIES: usize = 500;
/// And on what one answer holds, so that no request is endless.
const MAX_POINTS: i64 = 100_800;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Request {
    metric_data_queries: Vec<Query>,
    start_time: f64,
    end_time: f64,
    scan_by: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    id: String,
    metric_stat: MetricStat,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricStat {
    metric: MetricName,
    period: i64,
    stat: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricName {
    namespace: String,
    #[serde(rename = "MetricName")]
    name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Dimension {
    name: String,
    value: String,
}

/// From, until before; seconds of the time that callers are told.
type Span = (i64, i64);
/// The period's start, and the value.
type Point = (i64, f64);

pub(super) fn get_metric_data(call: &mut Call<'_>, body: &Value) -> Result<Vec<u8>, ApiError> {
    let request: Request = serde_json::from_value(body.clone()).map_err(|error| {
        invalid(format!(
            "The request is not valid or not simulated: {error}"
        ))
    })?;
    let span = span(&request)?;
    let descending = match request.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => return Err(invalid(format!("ScanBy is not valid: {other}"))),
    };
    if request.metric_data_queries.is_empty() || request.metric_data_queries.len() > MAX_QUERIES {
        return Err(invalid(format!("Give 1 to {MAX_QUERIES} queries")));
    }
    let mut results = Vec::new();
    for query in &request.metric_data_queries {
        let mut points = points(call, query, span)?;
        if descending {
            points.reverse();
        }
        if query.return_data != Some(false) {
            results.push((query, points));
        }
    }
    Ok(write(&results))
}

/// The time asked for, in whole minutes as CloudWatch has it.
fn span(request: &Request) -> Result<Span, ApiError> {
    let seconds = |at: f64| Timestamp::from_second(whole(at)).map(Timestamp::as_second);
    let (Ok(start), Ok(end)) = (seconds(request.start_time), seconds(request.end_time)) else {
        return Err(invalid("StartTime and EndTime must be timestamps."));
    };
    if start >= end {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    Ok((start - start.rem_euclid(60), end))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond i64 is no timestamp, and refused as such"
)]
fn whole(seconds: f64) -> i64 {
    seconds.floor() as i64
}

fn points(call: &Call<'_>, query: &Query, (start, end): Span) -> Result<Vec<Point>, ApiError> {
    let MetricStat {
        metric,
        period,
        stat,
    } = &query.metric_stat;
    let period = *period;
    if !(matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0)) {
        return Err(invalid(format!(
            "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}."
        )));
    }
    if (end - start) / period > MAX_POINTS {
        return Err(invalid("The time and the period give too many values."));
    }
    let gather = statistic(stat)?;
    let Some((instance, kind)) = subject(call, metric) else {
        return Ok(Vec::new());
    };
    // Callers' time may lie beside the one that machines live by; both are the same distance from now.
    let offset = call.now.as_second() - call.wall.as_second();
    let step = kind.resolution().max(period);
    let mut points = Vec::new();
    let mut from = start - start.rem_euclid(step);
    while from < end {
        let samples: Vec<f64> =
            samples(call, instance, kind, (from + offset, from + offset + step));
        if !samples.is_empty() && from >= start {
            points.push((from, gather(&samples)));
        }
        from += step;
    }
    Ok(points)
}

/// The samples of a span of simulated time that EC2 has told by now.
fn samples(call: &Call<'_>, instance: &Instance, kind: Metric, (from, until): Span) -> Vec<f64> {
    let resolution = kind.resolution();
    let mut at = from + (-from).rem_euclid(resolution);
    let mut samples = Vec::new();
    while at < until && at + resolution <= call.now.as_second() {
        let sample = Timestamp::from_second(at)
            .ok()
            .and_then(|at| kind.sample(instance, at, call.config));
        samples.extend(sample);
        at += resolution;
    }
    samples
}

/// The instance that a metric is of; what CloudWatch does not know has no values.
fn subject<'c>(call: &'c Call<'_>, metric: &MetricName) -> Option<(&'c Instance, Metric)> {
    let kind = Metric::named(&metric.name).filter(|_| metric.namespace == "AWS/EC2")?;
    let [dimension] = metric.dimensions.as_slice() else {
        return None;
    };
    let instance = call.world.instances.get(&dimension.value)?;
    (dimension.name == "InstanceId").then_some((instance, kind))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count of samples is far below 2^52"
)]
fn statistic(name: &str) -> Result<fn(&[f64]) -> f64, ApiError> {
    Ok(match name {
        "Average" => |samples| samples.iter().sum::<f64>() / samples.len() as f64,
        "Sum" => |samples| samples.iter().sum(),
        "SampleCount" => |samples| samples.len() as f64,
        "Minimum" => |samples| samples.iter().copied().fold(f64::INFINITY, f64::min),
        "Maximum" => |samples| samples.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        other => return Err(invalid(format!("The statistic {other} is not simulated."))),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of real timestamps are far below 2^52"
)]
fn write(results: &[(&Query, Vec<Point>)]) -> Vec<u8> {
    let mut cbor = Writer::default();
    cbor.map(|cbor| {
        cbor.text("MetricDataResults");
        cbor.list(results, |cbor, (query, points)| {
            cbor.map(|cbor| {
                let name = &query.metric_stat.metric.name;
                for (key, value) in [
                    ("Id", query.id.as_str()),
                    ("Label", query.label.as_deref().unwrap_or(name)),
                    ("StatusCode", "Complete"),
                ] {
                    cbor.text(key);
                    cbor.text(value);
                }
                cbor.text("Timestamps");
                cbor.list(points, |cbor, (at, _)| cbor.time(*at as f64));
                cbor.text("Values");
                cbor.list(points, |cbor, (_, value)| cbor.number(*value));
            });
        });
        cbor.text("Messages");
        cbor.list([(); 0], |_, ()| {});
    });
    cbor.finish()
}
