//! The Lambda `identity`: connects [`haulout_identity::app`] to the runtime.

use std::{error::Error, process::ExitCode, sync::Arc};

use haulout_api::{Conventions, gateway};
use haulout_aws::{
    clock::Clock, config, directory::Directory, emf::Metrics, env, secrets::Secrets, telemetry,
};
use haulout_identity::{Bootstrap, Identity, Passwords, Settings, Signing, app};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let sdk = config::sdk_config();
    let state = Identity {
        directory: Directory::new(&sdk, env::directory_tables()?),
        secrets: Secrets::new(&sdk),
        settings: Settings {
            signing_secret: env::required("HAULOUT_SIGNING_SECRET_ARN")?,
            jwks_secret: env::required("HAULOUT_TOKEN_KEYS_SECRET_ARN")?,
            bootstrap_secret: env::optional("HAULOUT_BOOTSTRAP_SECRET_ARN"),
            self_registration: env::flag("HAULOUT_SELF_REGISTRATION", true)?,
            issuer: env::deployment(),
        },
        passwords: Passwords::default(),
        signing: Signing::default(),
        bootstrap: Bootstrap::default(),
        clock: Clock::system(),
        metrics: Metrics::stdout(&env::deployment()),
    };
    let conventions = Conventions::from_env(&sdk)?;
    gateway::run(app(Arc::new(state), conventions)).await
}
