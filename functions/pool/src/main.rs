//! The Lambda `pool`: connects [`haulout_pool::app`] to the runtime.

use std::{error::Error, process::ExitCode, sync::Arc};

use haulout_api::{Conventions, gateway};
use haulout_aws::{clock::Clock, config, emf::Metrics, env, store::Store, telemetry};
use haulout_pool::{Candidates, Pool, Settings, app};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let sdk = config::sdk_config();
    let state = Pool {
        store: Store::new(&sdk, env::tables()?),
        settings: Settings {
            group: env::optional("HAULOUT_POOL_GROUP"),
            bounds: env::pool_settings()?.bounds,
        },
        candidates: Candidates::default(),
        clock: Clock::system(),
        metrics: Metrics::stdout(&env::deployment()),
    };
    gateway::run(app(Arc::new(state), Conventions::from_env(&sdk)?)).await
}
