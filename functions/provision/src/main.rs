//! The Lambda `provision`: connects [`haulout_provision::Provision`] to the runtime.

use std::process::ExitCode;

use haulout_aws::{
    catalog::Catalog, clock::Clock, compute::Compute, config, emf::Metrics, env, groups::Groups,
    registry::Registry, remote::Remote, store::Store, telemetry,
};
use haulout_provision::{Provision, StepEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tracing::Instrument;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Error> {
    let sdk = config::sdk_config();
    let deployment = env::deployment();
    let store = Store::new(&sdk, env::tables()?);
    let provision = &Provision {
        catalog: Catalog::new(&sdk, store.clone(), Clock::system()),
        groups: Groups::new(&sdk, &deployment),
        store,
        compute: Compute::new(&sdk, &deployment),
        defaults: env::launch_defaults()?,
        registry: Registry::new(&sdk, env::registry_tables()?),
        remote: Remote::new(&sdk),
        aggregators: env::required("HAULOUT_AGGREGATOR_URLS")?.parse()?,
        api_url: env::required("HAULOUT_API_URL")?.parse()?,
        clock: Clock::system(),
        metrics: Metrics::stdout(&deployment),
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<StepEvent>| {
        let LambdaEvent { payload, context } = event;
        let span = tracing::info_span!(
            "step",
            request_id = context.request_id,
            machine_id = %payload.machine_id,
            execution = payload.execution,
            step = ?payload.step,
        );
        // Boxed: the layout of all steps in one future is deeper than the compiler follows.
        Box::pin(provision.handle(&payload)).instrument(span).await
    }))
    .await
}
