//! Serves the console function in Lambda.

use std::{error::Error, process::ExitCode};

use haulout_api::{Cors, gateway};
use haulout_aws::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    telemetry::exit(serve().await)
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    gateway::run(haulout_console::app(Cors::from_env()?)).await
}
