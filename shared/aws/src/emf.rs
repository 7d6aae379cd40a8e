//! Metrics in CloudWatch's embedded metric format (EMF): JSON lines on stdout that CloudWatch Logs turns into
//! metrics, with no call of our own. One metric a line keeps this a page long; the `metrics` facade and its
//! EMF recorder would add a global registry, a flush at the end of each invocation and twenty crates.
//!
//! Each combination of dimension values is a metric that is paid for. Dimensions are therefore a closed list,
//! and their values are `'static`: a machine id cannot become one.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value, json};

use crate::clock::Clock;

/// The CloudWatch namespace of every metric.
pub const NAMESPACE: &str = "Haulout";

/// What a metric may be split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The Lambda function.
    Function,
    /// A phase of provisioning: a machine's status.
    Phase,
    /// What is done with a machine.
    Action,
    /// How something ended.
    Outcome,
    /// A stable error code.
    Code,
}

impl Dimension {
    /// The name CloudWatch shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Phase => "Phase",
            Self::Action => "Action",
            Self::Outcome => "Outcome",
            Self::Code => "Code",
        }
    }
}

/// The dimension every metric has: `HAULOUT_DEPLOYMENT`.
const DEPLOYMENT: &str = "Deployment";

/// Where metrics go. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    clock: Clock,
    deployment: Arc<str>,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl Metrics {
    /// Metrics of a deployment, on stdout.
    pub fn stdout(deployment: &str) -> Self {
        Self::to(deployment, io::stdout())
    }

    /// Metrics of a deployment, written elsewhere.
    pub fn to(deployment: &str, out: impl Write + Send + 'static) -> Self {
        Self {
            clock: Clock::system(),
            deployment: deployment.into(),
            out: Arc::new(Mutex::new(out)),
        }
    }

    /// One more of something.
    pub fn count(&self, name: &'static str, by: &[(Dimension, &'static str)]) {
        self.emit(name, "Count", 1.0, by);
    }

    /// How many of something there are.
    pub fn amount(&self, name: &'static str, amount: u32) {
        self.emit(name, "Count", f64::from(amount), &[]);
    }

    /// How long something took, in seconds.
    pub fn seconds(&self, name: &'static str, seconds: f64, by: &[(Dimension, &'static str)]) {
        self.emit(name, "Seconds", seconds, by);
    }

    fn emit(
        &self,
        name: &'static str,
        unit: &'static str,
        value: f64,
        by: &[(Dimension, &'static str)],
    ) {
        let mut dimensions = vec![DEPLOYMENT];
        dimensions.extend(by.iter().map(|(dimension, _)| dimension.as_str()));
        let metadata = json!({
            "Timestamp": self.clock.now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [dimensions],
                "Metrics": [{"Name": name, "Unit": unit}],
            }],
        });
        let mut line = Map::new();
        line.insert("_aws".into(), metadata);
        line.insert(DEPLOYMENT.into(), Value::from(&*self.deployment));
        for (dimension, value) in by {
            line.insert(dimension.as_str().into(), Value::from(*value));
        }
        line.insert(name.into(), Value::from(value));
        let line = format!("{}\n", Value::Object(line));
        // In one write, so that no log line gets into its middle.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                metric = name,
                "a metric was lost"
            );
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}
