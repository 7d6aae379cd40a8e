//! The SDK's configuration for a Lambda function, assembled from the environment alone. The SDK's own loader
//! also brings profile files and seven more sources of credentials; a function has none of them, and they
//! would be most of its start-up code.

use std::{env, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// How often a call is tried in all, retries included.
const MAX_ATTEMPTS: u32 = 3;
/// For a TCP connection and its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a call with all its attempts: below API Gateway's 30 s, so that the caller gets our answer and not the gateway's.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);

/// What every service client of a function is made from. Lambda hands a sandbox its region and credentials in
/// environment variables, and they stay good for the sandbox's life. `AWS_ENDPOINT_URL` and
/// `AWS_ENDPOINT_URL_<SERVICE>` are honoured, plain http included.
pub fn sdk_config() -> SdkConfig {
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .identity_cache(IdentityCache::lazy().build())
        .http_client(http_client())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .use_fips(flag("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT"))
        .service_config(EndpointUrls)
        .build()
}

/// One HTTP client for all services: connections, and the root certificates behind them, are shared.
/// It speaks https (rustls with ring) and plain http.
pub fn http_client() -> SharedHttpClient {
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    SharedHttpClient::new(OnFirstUse(https))
}

/// Puts off reading and parsing the system's root certificates until a request needs a connection. The SDK's
/// client does it whenever a service client is made, once for each, and throws the result away.
#[derive(Debug)]
struct OnFirstUse(SharedHttpClient);

impl HttpClient for OnFirstUse {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}

/// `AWS_ENDPOINT_URL_<SERVICE>`, and `AWS_ENDPOINT_URL` behind it.
#[derive(Debug)]
struct EndpointUrls;

impl LoadServiceConfig for EndpointUrls {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        variable(&service_variable(key.env(), key.service_id())).or_else(|| variable(key.env()))
    }
}

/// The variable for one service, as the SDKs name it: the service id in capitals, spaces as underscores.
fn service_variable(name: &str, service_id: &str) -> String {
    format!("{name}_{}", service_id.to_uppercase().replace(' ', "_"))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn flag(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
