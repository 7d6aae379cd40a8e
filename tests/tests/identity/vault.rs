//! Secrets Manager for these tests, in front of the test world's other services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use haulout_tests::call::answer;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Secrets by their ids, and how often each was asked for and written.
#[derive(Debug, Clone, Default)]
pub(super) struct Vault(Arc<Mutex<State>>, Arc<Gate>);

#[derive(Debug, Default)]
struct State {
    secrets: BTreeMap<String, String>,
    calls: Vec<(String, String)>,
    is_closed: bool,
    /// Whoever asks for it waits.
    blocked: Option<String>,
}

/// Somebody waits, and may go on.
#[derive(Debug, Default)]
struct Gate {
    came: Notify,
    open: Notify,
}

impl Vault {
    pub(super) fn put(&self, id: &str, value: &str) {
        self.lock().secrets.insert(id.to_owned(), value.to_owned());
    }

    pub(super) fn get(&self, id: &str) -> String {
        self.lock().secrets.get(id).cloned().unwrap_or_default()
    }

    /// From now on it answers nobody, or again.
    pub(super) fn close(&self, is_closed: bool) {
        self.lock().is_closed = is_closed;
    }

    /// Whoever asks for a secret from now on waits.
    pub(super) fn block(&self, id: &str) {
        self.lock().blocked = Some(id.to_owned());
    }

    /// Waits until somebody waits for a secret.
    pub(super) async fn was_asked(&self) {
        self.1.came.notified().await;
    }

    /// Whoever waits gets the secret.
    pub(super) fn unblock(&self) {
        self.lock().blocked = None;
        self.1.open.notify_one();
    }

    /// How often this was done with a secret.
    pub(super) fn calls(&self, action: &str, id: &str) -> usize {
        let state = self.lock();
        let calls = state.calls.iter();
        calls
            .filter(|it| **it == (action.to_owned(), id.to_owned()))
            .count()
    }

    /// A client that has it, and the world's services behind it.
    pub(super) fn before(&self, world: SharedHttpClient) -> WithVault {
        WithVault {
            world,
            vault: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, action: &str, body: &Value) -> HttpResponse {
        let id = body["SecretId"].as_str().unwrap_or_default().to_owned();
        let mut state = self.lock();
        state.calls.push((action.to_owned(), id.clone()));
        if state.is_closed {
            return refuse(500, "InternalServiceError");
        }
        match (action, state.secrets.get(&id).cloned()) {
            ("GetSecretValue", Some(value)) => {
                reply(200, &json!({"Name": id, "SecretString": value}))
            }
            ("PutSecretValue", _) => {
                let value = body["SecretString"].as_str().unwrap_or_default();
                state.secrets.insert(id.clone(), value.to_owned());
                reply(200, &json!({"Name": id}))
            }
            _ => refuse(400, "ResourceNotFoundException"),
        }
    }
}

fn refuse(status: u16, code: &str) -> HttpResponse {
    reply(status, &json!({"__type": code, "Message": "injected"}))
}

fn reply(status: u16, body: &Value) -> HttpResponse {
    answer(status, "application/x-amz-json-1.1", body.to_string())
}

/// The HTTP client.
#[derive(Debug)]
pub(super) struct WithVault {
    world: SharedHttpClient,
    vault: Vault,
}

impl HttpClient for WithVault {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            world: self.world.http_connector(settings, components),
            vault: self.vault.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    world: SharedHttpConnector,
    vault: Vault,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let Some(action) = target.strip_prefix("secretsmanager.") else {
            return self.world.call(request);
        };
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let vault = self.vault.clone();
        let waits = vault.lock().blocked.as_deref() == body["SecretId"].as_str();
        let answer = vault.call(action, &body);
        HttpConnectorFuture::new(async move {
            if waits {
                vault.1.came.notify_one();
                vault.1.open.notified().await;
            }
            Ok(answer)
        })
    }
}
