//! The Lambda `packages`: connects [`haulout_packages::app`] to the runtime.

use std::{error::Error, process::ExitCode, sync::Arc};

use haulout_api::{Conventions, gateway};
use haulout_aws::{
    clock::Clock, config, directory::Directory, emf::Metrics, env, objects::Objects,
    registry::Registry, store::Store, telemetry,
};
use haulout_packages::{Packages, Settings, app};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let sdk = config::sdk_config();
    let bucket = env::required("HAULOUT_PACKAGES_BUCKET")?;
    let key = env::optional("HAULOUT_PACKAGES_KEY_ARN");
    let state = Packages {
        registry: Registry::new(&sdk, env::registry_tables()?),
        store: Store::new(&sdk, env::tables()?),
        objects: Objects::new(&sdk, bucket, key),
        directory: Directory::new(&sdk, env::directory_tables()?),
        settings: Settings::default(),
        clock: Clock::system(),
        metrics: Metrics::stdout(&env::deployment()),
    };
    gateway::run(app(Arc::new(state), Conventions::from_env(&sdk)?)).await
}
