//! The Lambda `refresh`: connects [`haulout_refresh::Refresh`] to the runtime.

use std::process::ExitCode;

use aws_config::SdkConfig;
use haulout_aws::{
    clock::Clock,
    compute::Compute,
    config,
    emf::Metrics,
    env::{self, EnvError},
    fleet::Fleet,
    groups::Groups,
    remote::Remote,
    store::Store,
    telemetry,
    workflow::Workflow,
};
use haulout_refresh::{Pool, Refresh, RefreshEvent, Report};
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
    let refresh = &Refresh {
        store: Store::new(&sdk, env::tables()?),
        compute: Compute::new(&sdk, &deployment),
        groups: Groups::new(&sdk, &deployment),
        quota: env::max_machines()?,
        pool: pool(&sdk)?,
        workflow: Workflow::new(&sdk, env::required("HAULOUT_STATE_MACHINE_ARN")?),
        clock: Clock::system(),
        metrics: Metrics::stdout(&deployment),
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let span = tracing::info_span!("sweep", request_id = event.context.request_id);
        // Boxed: the layout of the whole pass in one future is deeper than the compiler follows.
        Box::pin(handle(refresh, event.payload))
            .instrument(span)
            .await
    }))
    .await
}

/// The pool; nothing where the deployment names no group.
fn pool(sdk: &SdkConfig) -> Result<Option<Pool>, EnvError> {
    let Some(group) = env::optional("HAULOUT_POOL_GROUP") else {
        return Ok(None);
    };
    Ok(Some(Pool {
        fleet: Fleet::new(sdk),
        remote: Remote::new(sdk),
        group: group.trim().to_owned(),
        settings: env::pool_settings()?,
        repairs: env::flag("HAULOUT_POOL_REPAIRS", false)?,
        deadlines: env::deadlines()?,
    }))
}

async fn handle(refresh: &Refresh, event: Value) -> Result<Report, Error> {
    let event = RefreshEvent::try_from(event)?;
    let result = refresh.run(&event).await;
    match &result {
        Ok(report) => tracing::info!(?report, ?event, "swept"),
        Err(error) => tracing::error!(error = telemetry::error_chain(error), "sweep failed"),
    }
    Ok(result?)
}
