//! Logs: one JSON object a line on stdout, which is what CloudWatch Logs Insights can query by field. The fields of
//! the spans around an event (`request_id`, `machine_id`, `execution`) stand beside the event's own.

use std::{error::Error, fmt, panic, process::ExitCode};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, Targets},
    fmt::{
        FmtContext, FormatEvent, FormattedFields, MakeWriter,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

use crate::clock::Clock;

/// Crates that print requests and answers, headers and bodies included, below this level. No setting of
/// `HAULOUT_LOG` makes them: what they print holds tokens.
const GUARDED: &[&str] = &["aws_", "h2", "hyper", "lambda_runtime", "rustls"];

/// Starts logging: level and targets from `HAULOUT_LOG` (`info`, or `warn,haulout_provision=debug`), by default
/// `info`. A panic is logged as one line like everything else.
pub fn init() {
    let setting = crate::env::optional("HAULOUT_LOG");
    let parsed = setting.as_deref().map(str::parse::<Targets>);
    let (targets, bad) = match parsed {
        None => (Targets::new().with_default(Level::INFO), None),
        Some(Ok(targets)) => (targets, None),
        Some(Err(error)) => (Targets::new().with_default(Level::INFO), Some(error)),
    };
    // An error here says that a subscriber is set already: that one stays.
    let _set_before = tracing_subscriber::registry()
        .with(layer(targets, std::io::stdout))
        .try_init();
    panic::set_hook(Box::new(|panic| {
        tracing::error!(
            panic = %panic.payload_as_str().unwrap_or("no message"),
            location = panic.location().map(tracing::field::display),
            "panicked"
        );
    }));
    if let Some(error) = bad {
        tracing::warn!(
            error = &error as &dyn Error,
            "HAULOUT_LOG is not a filter; logging at info"
        );
    }
}

/// The layer [`init`] installs, for any writer.
pub fn layer<S, W>(targets: Targets, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let cap = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(GUARDED.iter().map(|target| (*target, LevelFilter::INFO)));
    tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(JsonLine(Clock::system()))
        .with_writer(writer)
        .with_filter(targets.and(cap))
}

/// An error and its sources, joined by `: `. No error's own text repeats its source's.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Ends a function's `main`: why it ends is one log line with the whole chain, where Rust would print the error's
/// `Debug` form.
pub fn exit(ended: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error_chain(&*error), "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

/// Formats an event as one flat JSON object.
struct JsonLine(Clock);

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields(Map::new());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            if let Some(recorded) = extensions.get::<FormattedFields<JsonFields>>()
                && let Ok(recorded) = serde_json::from_str::<Map<String, Value>>(recorded)
            {
                fields.0.extend(recorded);
            }
        }
        event.record(&mut fields);
        let Fields(mut line) = fields;
        let metadata = event.metadata();
        line.insert("timestamp".into(), format!("{:.3}", self.0.now()).into());
        line.insert("level".into(), metadata.level().as_str().into());
        line.insert("target".into(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Collects an event's fields; errors with their whole chain.
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set(field, error_chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
