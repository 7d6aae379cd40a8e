//! GET /instances/{id}/metrics: an instance's figures, as CloudWatch has them.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use haulout_api::{Caller, Code, Path, Problem, Query};
use haulout_aws::figures::{InstanceFigures, Point};
use haulout_domain::{ids::InstanceId, machine::Machine};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Instances, refusal};

/// The usual period: how often EC2 reports without detailed monitoring, in seconds.
const USUAL_PERIOD: u32 = 300;
/// CloudWatch's shortest period for EC2's figures, in seconds.
const SHORTEST_PERIOD: u32 = 60;
/// A day, in seconds.
const LONGEST_PERIOD: u32 = 86_400;
/// How many periods an answer goes back.
const PERIODS: u32 = 60;

/// Which figures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsQuery {
    /// Length of a period in seconds: 60 to 86400, a multiple of 60; 300 when not given.
    #[param(minimum = 60, maximum = 86_400)]
    period: Option<u32>,
}

/// An instance's figures over the last 60 periods. EC2 reports every 5 minutes, with detailed monitoring every minute.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InstanceMetrics {
    /// EC2's id.
    #[schema(value_type = String, example = "i-0123456789abcdef0")]
    pub instance_id: InstanceId,
    /// Length of a period.
    pub period_seconds: u32,
    /// From here: 60 periods back, or the launch.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To here: now, or the machine's end.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Average CPU utilization in each period, oldest first.
    pub cpu_utilization: Vec<Percent>,
    /// Whether a status check failed in each period, oldest first.
    pub status_check_failed: Vec<Value>,
    /// The same of the check of the instance itself.
    pub status_check_failed_instance: Vec<Value>,
    /// The same of the check of the host under it.
    pub status_check_failed_system: Vec<Value>,
}

/// A share at a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Percent {
    /// When the period begins.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// 0 to 100.
    pub percent: f64,
}

/// A value at a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MetricValue)]
pub struct Value {
    /// When the period begins.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// 0: passed; 1: failed.
    pub value: f64,
}

impl From<&Point> for Percent {
    fn from(point: &Point) -> Self {
        Self {
            at: point.at,
            percent: point.value,
        }
    }
}

fn values(points: &[Point]) -> Vec<Value> {
    points
        .iter()
        .map(|point| Value {
            at: point.at,
            value: point.value,
        })
        .collect()
}

/// Read a machine's figures.
///
/// CPU utilization and status checks, from CloudWatch. The first figures of an instance come some minutes after its
/// launch.
#[utoipa::path(
    get,
    path = "/{id}/metrics",
    tag = "machines",
    params(("id" = haulout_domain::ids::MachineRef, Path, description = "m-… or i-…"), MetricsQuery),
    responses(
        (status = 200, body = InstanceMetrics),
        (status = 404, description = "No such machine", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "It has no instance yet", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn get(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<InstanceMetrics>, Problem> {
    let period = period(query.period)?;
    let machine = instances.seen_by(&caller, &id).await?;
    let Some(instance_id) = machine.instance_id.clone() else {
        return Err(Problem::new(
            Code::NoInstance,
            format!(
                "The machine is {} and has no instance, so it has no figures. Read it, and ask again when it has an instance_id.",
                machine.status
            ),
        ));
    };
    let (from, to) = span(&machine, period, instances.clock.now());
    // CloudWatch, which counts in seconds, refuses a span of none.
    let figures = if from.as_second() < to.as_second() {
        let asked = instances
            .figures
            .of_instance(&instance_id, period, from, to);
        asked.await.map_err(refusal::figures)?
    } else {
        InstanceFigures::default()
    };
    Ok(Json(InstanceMetrics {
        instance_id,
        period_seconds: period,
        from,
        to,
        cpu_utilization: figures.cpu_utilization.iter().map(Percent::from).collect(),
        status_check_failed: values(&figures.status_check_failed),
        status_check_failed_instance: values(&figures.status_check_failed_instance),
        status_check_failed_system: values(&figures.status_check_failed_system),
    }))
}

fn period(asked: Option<u32>) -> Result<u32, Problem> {
    let period = asked.unwrap_or(USUAL_PERIOD);
    let allowed = SHORTEST_PERIOD..=LONGEST_PERIOD;
    if allowed.contains(&period) && period.is_multiple_of(SHORTEST_PERIOD) {
        return Ok(period);
    }
    Err(Problem::new(
        Code::InvalidQuery,
        format!(
            "Query parameter `period` is {period}: give a multiple of {SHORTEST_PERIOD} from {SHORTEST_PERIOD} to {LONGEST_PERIOD}."
        ),
    ))
}

/// The last periods of the instance's life.
fn span(machine: &Machine, period: u32, now: Timestamp) -> (Timestamp, Timestamp) {
    let to = machine.gone_at.unwrap_or(now);
    let back = SignedDuration::from_secs(i64::from(period) * i64::from(PERIODS));
    let launch = machine.launch_requested_at.unwrap_or(machine.created_at);
    let from = to.checked_sub(back).unwrap_or(launch).max(launch);
    (from.min(to), to)
}
