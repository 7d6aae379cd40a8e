//! What callers of the CS450 registry do, call by call; and a package of three parts, one of them sent again after its
//! connection broke, that ends up running on a machine.

use std::{fs, io::Write as _, net::TcpStream, path::Path, process::Stdio};

use haulout_tests::client::Api;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::fixture::{Fixture, PATIENCE, ended_up, text};

/// More than two parts of the usual size.
const WEIGHTS: usize = 18 << 20;

/// Registers, is made a member by the admin, uploads, asks, downloads, and stages by name.
pub(super) async fn a_package_of_three_parts_runs_on_a_machine(fixture: &Fixture) {
    let user = registered(fixture, "testuser").await;
    let groups = json!({"groups": ["Group_106"]});
    let admin = &fixture.api;
    let member = admin
        .send(
            http::Method::PATCH,
            "/users/testuser",
            &[],
            groups.to_string(),
        )
        .await;
    assert_eq!(member.status, StatusCode::OK, "{}", member.text);

    let folder = fixture.folder.path();
    let archive = archive(folder).await;
    let package = uploaded(&user, folder, &archive).await;
    assert_eq!(package["state"], "ready", "{package}");
    assert_eq!(package["has_script"], true, "{package}");

    validated(fixture).await;
    downloaded(&user, folder, &archive).await;
    staged(fixture, &user).await;

    let outsider = registered(fixture, "outsider").await;
    let body = json!({"package": "test-pkg@1.0.0"});
    let blocked = outsider.post("/instances", &body).await;
    assert_eq!(blocked.status, StatusCode::FORBIDDEN, "{}", blocked.text);
    assert_eq!(blocked.json["code"], "download_blocked");
    let history = outsider.get("/history/outsider").await;
    assert_eq!(
        history.json["downloads"][0]["status"], "blocked",
        "{}",
        history.text
    );
}

/// `curl -X POST …/register`, `…/login`: roles and groups that somebody gives himself do not count.
async fn registered(fixture: &Fixture, name: &str) -> Api {
    let stranger = fixture.stranger();
    let body = json!({"username": name, "password": "testpass", "roles": ["admin"], "groups": ["Group_106"]});
    let answer = stranger.post("/register", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.json["roles"], json!(["user"]), "{}", answer.text);
    assert_eq!(answer.json["groups"], json!([]), "{}", answer.text);
    let body = json!({"username": name, "password": "testpass"});
    let answer = stranger.post("/login", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let token = text(&answer.json, "token").to_owned();
    Api::new(fixture.stack.addresses.api_url.clone(), Some(token))
}

/// A model whose weights do not compress.
async fn archive(folder: &Path) -> Vec<u8> {
    let model = folder.join("three-parts/model");
    fs::create_dir_all(&model).expect("a folder");
    let mut weights = Vec::with_capacity(WEIGHTS);
    let mut block = Sha256::digest(b"weights");
    while weights.len() < WEIGHTS {
        weights.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    fs::write(model.join("weights"), weights).expect("weights");
    let script = "#!/bin/sh\nwc -c <weights >counted\nexec sleep 60\n";
    fs::write(model.join("script.sh"), script).expect("a script");
    let packed = Command::new("python3")
        .args([
            "-m",
            "zipfile",
            "-c",
            "three-parts.zip",
            "three-parts/model",
        ])
        .current_dir(folder)
        .status()
        .await
        .expect("python3 runs");
    assert!(packed.success());
    fs::read(folder.join("three-parts.zip")).expect("an archive")
}

/// init, part three times (the second one breaks off at first), commit.
async fn uploaded(user: &Api, folder: &Path, archive: &[u8]) -> Value {
    let init = json!({
        "pkg_name": "test-pkg",
        "version": "1.0.0",
        "is_sensitive": true,
        "allowed_groups": ["Group_106"],
        "size_bytes": archive.len(),
        "sha256": format!("{:x}", Sha256::digest(archive)),
    });
    let upload = user.post("/init", &init).await;
    assert_eq!(upload.status, StatusCode::OK, "{}", upload.text);
    let id = text(&upload.json, "upload_id");
    let size =
        usize::try_from(upload.json["part_size"].as_u64().expect("a size")).expect("it fits");
    let pieces: Vec<&[u8]> = archive.chunks(size).collect();
    assert_eq!(pieces.len(), 3, "parts of {size} bytes");
    let mut parts = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let number = index + 1;
        let part = user
            .post(&format!("/part/{id}?part_number={number}"), &json!({}))
            .await;
        assert_eq!(part.status, StatusCode::OK, "{}", part.text);
        let url = text(&part.json, "url");
        if number == 2 {
            breaks_off(url, piece);
            let so_far = user.get(&format!("/uploads/{id}")).await;
            assert_eq!(
                so_far.json["parts"].as_array().map(Vec::len),
                Some(1),
                "{}",
                so_far.text
            );
        }
        let file = folder.join(format!("part-{number}"));
        fs::write(&file, piece).expect("a part");
        let etag = put(url, &file).await;
        parts.push(json!({"PartNumber": number, "ETag": etag}));
    }
    let commit = json!({"parts": parts});
    let first = user.post(&format!("/commit/{id}"), &commit).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let again = user.post(&format!("/commit/{id}"), &commit).await;
    assert_eq!(again.json, first.json);
    first.json
}

/// Half of the bytes, and then nothing any more.
fn breaks_off(url: &str, bytes: &[u8]) {
    let rest = url.strip_prefix("http://").expect("plain HTTP here");
    let (host, path) = rest.split_at(rest.find('/').expect("a path"));
    let mut connection = TcpStream::connect(host).expect("S3 is there");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    connection.write_all(head.as_bytes()).expect("sent");
    connection
        .write_all(&bytes[..bytes.len() / 2])
        .expect("sent");
}

/// `curl -T`; the answer's ETag.
async fn put(url: &str, file: &Path) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-f", "-o", "/dev/null", "-w", "%header{etag}", "-T"])
        .arg(file)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("curl runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("an ETag")
}

/// `curl -X POST …/validate`.
async fn validated(fixture: &Fixture) {
    for (groups, allowed) in [(json!(["Group_106"]), true), (json!([]), false)] {
        let body = json!({
            "pkg_name": "test-pkg",
            "version": "1.0.0",
            "user_id": "test",
            "user_groups": groups,
        });
        let answer = fixture.api.post("/validate", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json["allowed"], allowed, "{}", answer.text);
        assert!(answer.json["reason"].is_string());
        assert!(answer.json["validation_result"].is_object());
    }
}

/// `curl …/download/…`, and the link: the same bytes.
async fn downloaded(user: &Api, folder: &Path, archive: &[u8]) {
    let link = user.get("/download/test-pkg/1.0.0").await;
    assert_eq!(link.status, StatusCode::OK, "{}", link.text);
    let got = folder.join("downloaded.zip");
    let curl = Command::new("curl")
        .args(["-sS", "-f", "-o"])
        .arg(&got)
        .arg(text(&link.json, "url"))
        .status()
        .await
        .expect("curl runs");
    assert!(curl.success());
    assert!(
        fs::read(got).expect("the archive") == archive,
        "other bytes"
    );
    let history = user.get("/history/testuser").await;
    assert_eq!(history.json["count"], 1, "{}", history.text);
    assert_eq!(history.json["downloads"][0]["status"], "allowed");
}

async fn staged(fixture: &Fixture, user: &Api) {
    let body = json!({"package": "test-pkg@1.0.0"});
    let machine = user.post("/instances", &body).await;
    assert_eq!(machine.status, StatusCode::ACCEPTED, "{}", machine.text);
    let machine = user
        .until(text(&machine.json, "id"), PATIENCE, ended_up)
        .await;
    assert_eq!(machine["status"], "ready", "{machine}");
    assert_eq!(machine["package"], "test-pkg@1.0.0");
    assert_eq!(machine["owner"], "testuser");
    let instance = text(&machine, "instance_id");
    let model = fixture
        .stack
        .addresses
        .machines_dir
        .join(instance)
        .join("tmp/model");
    let counted = fs::read_to_string(model.join("counted")).expect("the model ran");
    assert!(
        counted
            .trim()
            .parse::<usize>()
            .is_ok_and(|bytes| bytes >= WEIGHTS),
        "{counted}"
    );
    let deleted = user
        .delete(&format!("/instances/{}", text(&machine, "id")))
        .await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED, "{}", deleted.text);
}
