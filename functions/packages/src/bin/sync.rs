//! The Lambda `sync`: connects [`haulout_packages::Packages::reconcile`] to the runtime.

use std::process::ExitCode;

use haulout_aws::{
    clock::Clock, config, directory::Directory, emf::Metrics, env, objects::Objects,
    registry::Registry, store::Store, telemetry,
};
use haulout_packages::{Packages, Settings, SyncReport};
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
    let packages = &Packages {
        registry: Registry::new(&sdk, env::registry_tables()?),
        store: Store::new(&sdk, env::tables()?),
        objects: Objects::new(&sdk, env::required("HAULOUT_PACKAGES_BUCKET")?, None),
        // Nobody is asked for here: the function may not read users.
        directory: Directory::new(&sdk, env::directory_tables()?),
        settings: Settings::default(),
        clock: Clock::system(),
        metrics: Metrics::stdout(&env::deployment()),
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let span = tracing::info_span!("sync", request_id = event.context.request_id);
        // Boxed: the layout of all that may follow in one future is deeper than the compiler follows.
        Box::pin(handle(packages, event.payload))
            .instrument(span)
            .await
    }))
    .await
}

async fn handle(packages: &Packages, event: Value) -> Result<SyncReport, Error> {
    let reconciled = packages.reconcile(event).await;
    match &reconciled {
        Ok(report) => tracing::info!(?report, "synchronized"),
        Err(error) => tracing::error!(
            error = telemetry::error_chain(error),
            "records and bucket were not compared"
        ),
    }
    Ok(reconciled?)
}
