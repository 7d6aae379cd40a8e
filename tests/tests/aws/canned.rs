//! A client of an AWS that gives canned answers, for what the simulator never says.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use haulout_tests::call::answer;

type Answer = dyn Fn(&str) -> String + Send + Sync;

#[derive(Clone)]
struct Canned(Arc<Answer>);

impl std::fmt::Debug for Canned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canned")
    }
}

/// The same configuration, but every request (its form, not decoded) gets the XML that `answers` makes of it.
pub(super) fn sdk_config(
    config: &SdkConfig,
    answers: impl Fn(&str) -> String + Send + Sync + 'static,
) -> SdkConfig {
    let client = Canned(Arc::new(answers));
    config.clone().into_builder().http_client(client).build()
}

impl HttpClient for Canned {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let form = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        let body = (self.0)(&form);
        HttpConnectorFuture::ready(Ok(answer(200, "text/xml;charset=UTF-8", body)))
    }
}
