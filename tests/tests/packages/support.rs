//! The function `packages` in a test world, called as API Gateway calls it, and archives for it.

use std::{io::Write, sync::Arc, time::Duration};

use axum::Router;
use haulout_api::{Caller, Conventions, service::ServiceApi};
use haulout_aws::{
    clock::Clock,
    directory::{Directory, DirectoryTables},
    emf::Metrics,
    objects::Objects,
    registry::{Registry, RegistryTables},
    store::Store,
};
use haulout_domain::{
    access::Role,
    package::{Package, Upload},
};
use haulout_packages::{Packages, ReconcileError, SyncReport};
use haulout_tests::{
    callers::{Callers, TOKEN},
    dynamo::{AUDIT, DOWNLOADS, PACKAGES, TOKENS, UPLOADS, USERS, tables},
    gateway::{ACCOUNT, Answer, GatewayEvent, SERVICE_API_ID},
    lambda::NoAnswer,
    s3::{BUCKET, Reply, S3},
    settings::Settings,
    template::{OF_PACKAGES, OF_USERS},
    world::{DEPLOYMENT, World},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The function's name among invocations.
pub(super) const FUNCTION: &str = "packages";
/// The name of the function that keeps records and bucket true to each other.
pub(super) const SYNC: &str = "sync";
pub(super) const MIB: usize = 1 << 20;

/// The function, and the world it is in.
pub(super) struct Shelf {
    pub(super) world: World,
    pub(super) registry: Registry,
    state: Arc<Packages>,
    app: Router,
}

/// An upload whose parts have arrived.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) parts: Value,
}

impl Shelf {
    pub(super) async fn start() -> Self {
        Self::start_with(Settings::default(), haulout_packages::Settings::default()).await
    }

    /// Requests that come at once take turns as a seed decides.
    pub(super) async fn shuffled(seed: u64) -> Self {
        let settings = Settings {
            shuffle: Some(seed),
            ..Settings::default()
        };
        Self::start_with(settings, haulout_packages::Settings::default()).await
    }

    pub(super) async fn start_with(settings: Settings, bounds: haulout_packages::Settings) -> Self {
        let world = Box::pin(World::start(settings)).await;
        let _tables = world.dynamo.clone().with(&OF_PACKAGES).with(&OF_USERS);
        let sdk = world.sdk_config();
        let registry = Registry::new(
            sdk,
            RegistryTables {
                packages: PACKAGES.to_owned(),
                uploads: UPLOADS.to_owned(),
                downloads: DOWNLOADS.to_owned(),
            },
        );
        let directory = Directory::new(
            sdk,
            DirectoryTables {
                users: USERS.to_owned(),
                tokens: TOKENS.to_owned(),
                audit: AUDIT.to_owned(),
            },
        );
        let time = world.clock.clone();
        let state = Packages {
            registry: registry.clone(),
            store: Store::new(sdk, tables()),
            objects: Objects::new(sdk, BUCKET, None),
            directory,
            settings: bounds,
            clock: Clock::from_fn(move || time.now()),
            metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
        };
        let mut carol = Caller::new("carol", [Role::User]);
        carol.groups.insert("research".parse().unwrap());
        let conventions = Conventions {
            auth: Some(Callers::cast().and(carol).auth()),
            service: Some(ServiceApi {
                id: SERVICE_API_ID.to_owned(),
                account: ACCOUNT.to_owned(),
                role: Role::User,
            }),
            ..Conventions::default()
        };
        let state = Arc::new(state);
        let app = haulout_packages::app(Arc::clone(&state), conventions);
        Self {
            world,
            registry,
            state,
            app,
        }
    }

    pub(super) fn s3(&self) -> &S3 {
        &self.world.s3
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// As one of the cast, if the function lives to answer.
    pub(super) async fn try_send(
        &self,
        who: &str,
        event: GatewayEvent,
    ) -> Result<Answer, NoAnswer> {
        let event = event.token(who);
        self.world.invoke(FUNCTION, || event.send(&self.app)).await
    }

    /// As nobody.
    pub(super) async fn stranger(&self, event: GatewayEvent) -> Answer {
        let answer = self.world.invoke(FUNCTION, || event.send(&self.app)).await;
        answer.unwrap()
    }

    pub(super) async fn send(&self, who: &str, event: GatewayEvent) -> Answer {
        self.try_send(who, event).await.unwrap()
    }

    pub(super) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, GatewayEvent::get(path)).await
    }

    pub(super) async fn post(&self, who: &str, path: &str, body: &Value) -> Answer {
        self.send(who, GatewayEvent::post(path, body.to_string()))
            .await
    }

    pub(super) async fn delete(&self, who: &str, path: &str) -> Answer {
        self.send(who, GatewayEvent::new("DELETE", path)).await
    }

    /// POST /init that succeeds; the upload's id.
    pub(super) async fn begin(&self, who: &str, body: &Value) -> String {
        let answer = self.post(who, "/init", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        word(&answer.json(), "upload_id")
    }

    /// Asks for the URL of a part and sends it there.
    pub(super) async fn send_part(&self, who: &str, id: &str, number: u32, bytes: &[u8]) -> Reply {
        let path = format!("/part/{id}?part_number={number}");
        let answer = self.send(who, GatewayEvent::new("POST", &path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.carry_out("PUT", &answer.json(), bytes)
    }

    /// Uses a link that the API gave.
    pub(super) fn carry_out(&self, method: &str, link: &Value, body: &[u8]) -> Reply {
        let headers: Vec<(&str, &str)> = match link.get("headers").and_then(Value::as_object) {
            Some(headers) => headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect(),
            None => Vec::new(),
        };
        let url = link["url"].as_str().unwrap();
        self.s3().carry_out(method, url, &headers, body, self.now())
    }

    /// Begins an upload and sends an archive in parts of 5 MiB.
    pub(super) async fn sent(&self, who: &str, body: &Value, archive: &[u8]) -> Sent {
        let id = self.begin(who, body).await;
        let mut parts = Vec::new();
        for (number, bytes) in (1..).zip(archive.chunks(5 * MIB)) {
            let reply = self.send_part(who, &id, number, bytes).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            parts.push(json!({"PartNumber": number, "ETag": reply.etag()}));
        }
        let parts = Value::Array(parts);
        Sent { id, parts }
    }

    pub(super) async fn commit(&self, who: &str, sent: &Sent) -> Answer {
        let path = format!("/commit/{}", sent.id);
        self.post(who, &path, &json!({"parts": sent.parts})).await
    }

    /// A package of a small archive.
    pub(super) async fn published(&self, who: &str, body: &Value) -> Value {
        let sent = self.sent(who, body, &archive(100)).await;
        let answer = self.commit(who, &sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// A package's record, as it is stored.
    pub(super) async fn package(&self, name_version: &str) -> Option<Package> {
        let reference = name_version.parse().unwrap();
        self.registry.package(&reference).await.unwrap()
    }

    /// An upload's record, as it is stored.
    pub(super) async fn upload(&self, id: &str) -> Upload {
        let found = self.registry.upload(&id.parse().unwrap()).await;
        found.unwrap().unwrap()
    }

    /// Synchronizes to the end; the reports of all calls.
    pub(super) async fn sync(&self) -> Vec<Value> {
        let mut reports = Vec::new();
        let mut body = json!({});
        loop {
            let answer = self.post(TOKEN, "/packages/sync", &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let report = answer.json();
            body = json!({"cursor": report["next_cursor"]});
            reports.push(report);
            if body["cursor"].is_null() {
                return reports;
            }
            assert!(reports.len() < 100, "it does not end");
        }
    }

    /// Invokes the function `sync`, if it lives to answer.
    pub(super) async fn try_reconcile(
        &self,
        event: &Value,
    ) -> Result<Result<SyncReport, ReconcileError>, NoAnswer> {
        let work = || self.state.reconcile(event.clone());
        self.world.invoke(SYNC, work).await
    }

    /// The same, and it succeeds.
    pub(super) async fn reconcile(&self, event: &Value) -> SyncReport {
        self.try_reconcile(event).await.unwrap().unwrap()
    }

    pub(super) fn jump(&self, hours: u64) {
        self.world.jump(Duration::from_hours(hours));
    }

    /// How often the function called an action.
    pub(super) fn calls(&self, action: &str) -> usize {
        let log = self.world.faults.log();
        log.iter().filter(|call| call.action.name == action).count()
    }
}

/// The body of POST /init, for a version of the package `model`.
pub(super) fn version(version: &str) -> Value {
    json!({"pkg_name": "model", "version": version})
}

pub(super) fn word(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap().to_owned()
}

/// An archive with a script and about so many bytes beside it.
pub(super) fn archive(bytes: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("model/script.sh", stored).unwrap();
    zip.write_all(b"#!/bin/sh\necho hello\n").unwrap();
    zip.start_file("model/weights.bin", stored).unwrap();
    let pattern: Vec<u8> = (0..=250).cycle().take(bytes).collect();
    zip.write_all(&pattern).unwrap();
    zip.finish().unwrap().into_inner()
}
