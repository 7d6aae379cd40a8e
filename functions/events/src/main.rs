//! The Lambda `events`: connects [`haulout_events::Events`] to the runtime.

use std::process::ExitCode;

use haulout_aws::{
    clock::Clock, compute::Compute, config, emf::Metrics, env, groups::Groups, notify::Notifier,
    store::Store, telemetry, workflow::Workflow,
};
use haulout_events::{Answer, Events};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Error> {
    let sdk = config::sdk_config();
    let deployment = env::deployment();
    let events = &Events {
        store: Store::new(&sdk, env::tables()?),
        compute: Compute::new(&sdk, &deployment),
        groups: Groups::new(&sdk, &deployment),
        workflow: Workflow::new(&sdk, env::required("HAULOUT_STATE_MACHINE_ARN")?),
        notifier: Notifier::new(&sdk, env::optional("HAULOUT_TOPIC_ARN")),
        clock: Clock::system(),
        metrics: Metrics::stdout(&deployment),
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let span = tracing::info_span!("event", request_id = event.context.request_id);
        // Boxed: the layout of all that may follow in one future is deeper than the compiler follows.
        Box::pin(handle(events, event.payload))
            .instrument(span)
            .await
    }))
    .await
}

async fn handle(events: &Events, event: Value) -> Result<Answer, Error> {
    let answer = events.run(event).await;
    if let Err(error) = &answer {
        tracing::error!(
            error = telemetry::error_chain(error),
            "the event was not dealt with"
        );
    }
    Ok(answer?)
}
