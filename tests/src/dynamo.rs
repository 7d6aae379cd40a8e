//! DynamoDB in this process: dynoxide in memory, with the tables of template.yaml, behind the JSON protocol.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use dynoxide::{Database, DynoxideError};
use haulout_aws::{registry::RegistryTables, store::Tables};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::template::{self, Index, Key, TableSpec};

/// The name of the table of machines.
pub const MACHINES: &str = "haulout-machines";
/// The name of the table of everything else.
pub const CONTROL: &str = "haulout-control";
/// The name of the table of projects.
pub const PROJECTS: &str = "haulout-projects";

/// The name of the table of users.
pub const USERS: &str = "haulout-users";
/// The name of the table of sessions.
pub const TOKENS: &str = "haulout-tokens";
/// The name of the table of changes.
pub const AUDIT: &str = "haulout-audit";
/// The name of the table of packages.
pub const PACKAGES: &str = "haulout-packages";
/// The name of the table of uploads.
pub const UPLOADS: &str = "haulout-uploads";
/// The name of the table of downloads.
pub const DOWNLOADS: &str = "haulout-downloads";

/// The names of the tables, for a store.
pub fn tables() -> Tables {
    Tables {
        machines: MACHINES.to_owned(),
        control: CONTROL.to_owned(),
        projects: PROJECTS.to_owned(),
    }
}

/// The names of the tables of packages.
pub fn registry_tables() -> RegistryTables {
    RegistryTables {
        packages: PACKAGES.to_owned(),
        uploads: UPLOADS.to_owned(),
        downloads: DOWNLOADS.to_owned(),
    }
}

/// DynamoDB.
#[derive(Clone)]
pub struct Dynamo {
    database: Database,
    machines: Stream,
    projects: Stream,
}

/// A table's stream.
#[derive(Clone, Default)]
struct Stream {
    /// How far it was read.
    iterator: Arc<Mutex<Option<String>>>,
    /// Something may have been written since.
    unread: Arc<AtomicBool>,
}

impl Dynamo {
    /// An empty database with the template's tables of machines.
    #[expect(
        clippy::expect_used,
        reason = "a harness that cannot start fails its test"
    )]
    pub fn start() -> Self {
        // Read once: worlds are many.
        static TABLES: OnceLock<Vec<TableSpec>> = OnceLock::new();
        let dynamo = Self {
            database: Database::memory().expect("a database in memory"),
            machines: Stream::default(),
            projects: Stream::default(),
        };
        dynamo.create(TABLES.get_or_init(|| template::tables().expect("the template's tables")));
        dynamo
    }

    /// Adds tables of the template, by their logical ids.
    #[expect(
        clippy::expect_used,
        reason = "a harness that cannot start fails its test"
    )]
    #[must_use]
    pub fn with(self, logical_ids: &[&str]) -> Self {
        self.create(&template::tables_named(logical_ids).expect("the template's tables"));
        self
    }

    fn create(&self, tables: &[TableSpec]) {
        for spec in tables {
            let name = name_of(spec);
            let lifetime = spec.ttl.as_ref().map(|attribute| {
                let request = time_to_live_request(&name, attribute);
                ("UpdateTimeToLive", request)
            });
            for (action, request) in [("CreateTable", create_request(&name, spec))]
                .into_iter()
                .chain(lifetime)
            {
                let (status, answer) = self.call(action, request.to_string().as_bytes());
                assert_eq!(status, 200, "{action}: {answer}");
            }
        }
    }

    /// What was written to the machines table since this was asked last, as a Lambda function gets it from the stream.
    pub fn new_stream_records(&self) -> Vec<Value> {
        self.new_records(MACHINES, &self.machines)
    }

    /// The same of the projects table.
    pub fn new_project_records(&self) -> Vec<Value> {
        self.new_records(PROJECTS, &self.projects)
    }

    #[expect(
        clippy::expect_used,
        reason = "a harness that cannot read its own stream fails its test"
    )]
    fn new_records(&self, table: &str, stream: &Stream) -> Vec<Value> {
        if !stream.unread.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        let mut iterator = stream
            .iterator
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ask = |action, request: Value| -> Value {
            let (status, answer) = self.call(action, request.to_string().as_bytes());
            assert_eq!(status, 200, "{action}: {answer}");
            serde_json::from_str(&answer).expect("JSON from the database")
        };
        let from = iterator.take().unwrap_or_else(|| {
            let streams = ask("ListStreams", json!({"TableName": table}));
            let arn = &streams["Streams"][0]["StreamArn"];
            let stream = ask("DescribeStream", json!({"StreamArn": arn}));
            let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
            let request =
                json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
            let answer = ask("GetShardIterator", request);
            answer["ShardIterator"]
                .as_str()
                .expect("an iterator")
                .to_owned()
        });
        let mut answer = ask("GetRecords", json!({"ShardIterator": from}));
        *iterator = answer["NextShardIterator"].as_str().map(str::to_owned);
        match answer["Records"].take() {
            Value::Array(records) => records,
            _ => Vec::new(),
        }
    }

    /// Answers a request: HTTP status and body.
    pub fn call(&self, action: &str, body: &[u8]) -> (u16, String) {
        let database = &self.database;
        if matches!(
            action,
            "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems"
        ) {
            for stream in [&self.machines, &self.projects] {
                stream.unread.store(true, Ordering::Relaxed);
            }
        }
        let answer = match action {
            "CreateTable" => run(body, |request| database.create_table(request)),
            "UpdateTimeToLive" => run(body, |request| database.update_time_to_live(request)),
            "GetItem" => run(body, |request| database.get_item(request)),
            "PutItem" => run(body, |request| database.put_item(request)),
            "UpdateItem" => run(body, |request| database.update_item(request)),
            "DeleteItem" => run(body, |request| database.delete_item(request)),
            "Query" => run(body, |request| database.query(request)),
            "Scan" => run(body, |request| database.scan(request)),
            "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
            "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
            "ListStreams" => run(body, |request| database.list_streams(request)),
            "DescribeStream" => run(body, |request| database.describe_stream(request)),
            "GetShardIterator" => run(body, |request| database.get_shard_iterator(request)),
            "GetRecords" => run(body, |request| database.get_records(request)),
            _ => Err(DynoxideError::ValidationException(format!(
                "{action} is not part of the test world"
            ))),
        };
        match answer {
            Ok(body) => (200, body),
            Err(error) => (error.status_code(), error.to_json()),
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    action: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<String> {
    let malformed =
        |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let request = serde_json::from_slice(body).map_err(malformed)?;
    serde_json::to_string(&action(request)?).map_err(malformed)
}

/// What the template calls it, in a deployment of the usual name.
fn name_of(spec: &TableSpec) -> String {
    let word = spec.logical_id.trim_end_matches("Table");
    format!("haulout-{}", word.to_lowercase())
}

fn create_request(name: &str, spec: &TableSpec) -> Value {
    let mut attributes: Vec<&str> = spec
        .keys
        .iter()
        .chain(spec.indexes.iter().flat_map(|index| &index.keys))
        .map(|key| key.attribute.as_str())
        .collect();
    attributes.sort_unstable();
    attributes.dedup();
    let mut request = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": key_schema(&spec.keys),
        "AttributeDefinitions": attributes
            .iter()
            .map(|attribute| {
                let is_number = spec.numbers.iter().any(|it| it == attribute);
                let kind = if is_number { "N" } else { "S" };
                json!({"AttributeName": attribute, "AttributeType": kind})
            })
            .collect::<Vec<_>>(),
    });
    if spec.has_stream {
        request["StreamSpecification"] =
            json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
    }
    if !spec.indexes.is_empty() {
        request["GlobalSecondaryIndexes"] = spec
            .indexes
            .iter()
            .map(|index| {
                let Index {
                    name,
                    keys,
                    projection,
                } = index;
                json!({
                    "IndexName": name,
                    "KeySchema": key_schema(keys),
                    "Projection": {"ProjectionType": projection},
                })
            })
            .collect();
    }
    request
}

fn key_schema(keys: &[Key]) -> Value {
    keys.iter()
        .map(|key| json!({"AttributeName": key.attribute, "KeyType": key.kind}))
        .collect()
}

fn time_to_live_request(name: &str, attribute: &str) -> Value {
    json!({
        "TableName": name,
        "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
    })
}
