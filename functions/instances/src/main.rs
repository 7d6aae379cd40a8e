//! The Lambda `instances`: connects [`haulout_instances::app`] to the runtime.

use std::{error::Error, process::ExitCode, sync::Arc};

use haulout_api::{Conventions, gateway};
use haulout_aws::{
    catalog::Catalog, clock::Clock, compute::Compute, config, emf::Metrics, env, figures::Figures,
    registry::Registry, store::Store, telemetry, workflow::Workflow,
};
use haulout_instances::{Instances, Settings, app};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let sdk = config::sdk_config();
    let deployment = env::deployment();
    let clock = Clock::system();
    let store = Store::new(&sdk, env::tables()?);
    let state = Instances {
        catalog: Catalog::new(&sdk, store.clone(), clock.clone()),
        store,
        compute: Compute::new(&sdk, &deployment),
        figures: Figures::new(&sdk),
        registry: Registry::new(&sdk, env::registry_tables()?),
        workflow: Workflow::new(&sdk, env::required("HAULOUT_STATE_MACHINE_ARN")?),
        settings: Settings {
            launch: env::launch_defaults()?,
            deadlines: env::deadlines()?,
            keep_failed_minutes: env::number("HAULOUT_KEEP_FAILED_MINUTES", 60)?,
        },
        clock,
        metrics: Metrics::stdout(&deployment),
    };
    gateway::run(app(Arc::new(state), Conventions::from_env(&sdk)?)).await
}
