//! Archives that another tool puts into the bucket, or deletes there: the registry follows, without anybody calling.

use std::time::{Duration, Instant};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::ByteStream,
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::fixture::{Fixture, PATIENCE, text};

const KEY: &str = "packages/by-hand/1.0.0/tool.zip";

/// S3 tells of it, and it becomes a package; S3 tells that it is gone, and the package is missing.
pub(super) async fn an_archive_put_there_by_another_tool_becomes_a_package(fixture: &Fixture) {
    let (tool, bucket) = (client(fixture), bucket(fixture).await);
    // No archive: it stays unverified, however often somebody looks into it.
    let body = ByteStream::from_static(b"from another tool");
    let put = tool.put_object().bucket(&bucket).key(KEY).body(body);
    put.send().await.expect("an object");
    let package = until(fixture, |it| it["state"] == "unverified").await;
    assert_eq!(package["owner"], "admin", "{package}");
    assert_eq!(package["is_sensitive"], true, "{package}");
    let delete = tool.delete_object().bucket(&bucket).key(KEY);
    delete.send().await.expect("no object any more");
    until(fixture, |it| it["state"] == "missing").await;
    let deleted = fixture.api.delete("/packages/by-hand/1.0.0").await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
}

fn client(fixture: &Fixture) -> Client {
    let account = "000000000000";
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(&fixture.stack.addresses.aws_endpoint_url)
        .force_path_style(true)
        .credentials_provider(Credentials::new(account, "local", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// The bucket's name, as the link of a part says.
async fn bucket(fixture: &Fixture) -> String {
    let body = json!({"pkg_name": "by-hand", "version": "0.0.1"});
    let upload = fixture.api.post("/init", &body).await;
    assert_eq!(upload.status, StatusCode::OK, "{}", upload.text);
    let id = text(&upload.json, "upload_id");
    let path = format!("/part/{id}?part_number=1");
    let part = fixture.api.post(&path, &json!({})).await;
    let (before, _) = text(&part.json, "url")
        .split_once("/packages/")
        .expect("a key");
    let bucket = before.rsplit('/').next().unwrap_or_default().to_owned();
    let aborted = fixture.api.post(&format!("/abort/{id}"), &json!({})).await;
    assert_eq!(aborted.status, StatusCode::OK, "{}", aborted.text);
    bucket
}

/// The package, once it is so.
async fn until(fixture: &Fixture, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = fixture.api.get("/packages/by-hand/1.0.0").await;
        if answer.status == StatusCode::OK && is_so(&answer.json) {
            return answer.json;
        }
        assert!(Instant::now() < end, "the last answer: {}", answer.text);
        sleep(Duration::from_millis(100)).await;
    }
}
