//! Counts AWS calls on their way to the HTTP client, and measures how long they keep this process busy. Where AWS is in
//! the same process, that is the time AWS itself takes.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use haulout_tests::call::Action;

/// What went through a meter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metered {
    /// Calls by action, those that the SDK repeats included.
    pub(crate) calls: BTreeMap<String, u32>,
    /// How long they kept this process busy.
    pub(crate) took: Duration,
}

impl Metered {
    /// All calls.
    pub(crate) fn total(&self) -> u32 {
        self.calls.values().sum()
    }

    /// Together with what went through later.
    pub(crate) fn add(&mut self, later: Self) {
        for (action, count) in later.calls {
            *self.calls.entry(action).or_default() += count;
        }
        self.took += later.took;
    }
}

/// A meter before an HTTP client. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    client: SharedHttpClient,
    metered: Arc<Mutex<Metered>>,
}

impl Meter {
    /// The same configuration with a meter in it.
    pub(crate) fn before(sdk: &SdkConfig) -> Result<(SdkConfig, Self), &'static str> {
        let meter = Self {
            client: sdk.http_client().ok_or("there is no HTTP client")?,
            metered: Arc::default(),
        };
        let sdk = sdk.to_builder().http_client(meter.clone()).build();
        Ok((sdk, meter))
    }

    /// What went through since this was asked last.
    pub(crate) fn take(&self) -> Metered {
        std::mem::take(&mut *self.lock())
    }

    /// Counts a call that does not come by here.
    pub(crate) fn count(&self, action: &str) {
        *self.lock().calls.entry(action.to_owned()).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Metered> {
        self.metered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for Meter {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            connector: self.client.http_connector(settings, components),
            meter: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    meter: Meter,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let action = Action::of(&request).map_or_else(String::new, |action| action.to_string());
        *self.meter.lock().calls.entry(action).or_default() += 1;
        let (meter, answer) = (self.meter.clone(), self.connector.call(request));
        HttpConnectorFuture::new(async move {
            let mut answer = pin!(answer);
            poll_fn(|context| {
                let begun = Instant::now();
                let polled = answer.as_mut().poll(context);
                meter.lock().took += begun.elapsed();
                polled
            })
            .await
        })
    }
}
