//! Serves the console function in Lambda.

use haulout_api::{Cors, gateway};
use haulout_aws::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    gateway::run(haulout_console::app(Cors::from_env()?)).await
}
