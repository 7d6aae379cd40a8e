//! Archives that do harm where they are unpacked, and parts that are not what was said.

use haulout_tests::client::{Answer, Api};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{super::fixture::text, Scene};
use crate::staging::archive::{Entry, model, zip};

/// An upload whose parts have arrived.
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) parts: Vec<Value>,
}

/// Begins an upload, and sends these parts.
pub(super) async fn uploaded(user: &Api, init: &Value, pieces: &[&[u8]]) -> Sent {
    let upload = user.post("/init", init).await;
    assert_eq!(upload.status, StatusCode::OK, "{}", upload.text);
    let id = text(&upload.json, "upload_id").to_owned();
    let mut parts = Vec::new();
    for (number, piece) in (1..).zip(pieces) {
        let path = format!("/part/{id}?part_number={number}");
        let part = user.post(&path, &json!({})).await;
        assert_eq!(part.status, StatusCode::OK, "{}", part.text);
        let s3 = Api::new(text(&part.json, "url"), None);
        let put = s3.send(Method::PUT, "", &[], piece.to_vec()).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.text);
        let etag = put.headers["etag"].to_str().expect("an ETag");
        parts.push(json!({"PartNumber": number, "ETag": etag}));
    }
    Sent { id, parts }
}

/// Begins an upload, sends these parts and commits them.
pub(super) async fn committed(user: &Api, init: &Value, pieces: &[&[u8]]) -> Answer {
    let Sent { id, parts } = uploaded(user, init, pieces).await;
    user.post(&format!("/commit/{id}"), &json!({"parts": parts}))
        .await
}

pub(super) async fn that_do_harm(scene: &mut Scene<'_>) {
    let script = || Entry::file("model/script.sh", "exit 0").mode(0o100_755);
    let harmful = [
        (
            "a way up",
            zip(&[script(), Entry::file("../../etc/cron.d/x", "x")]),
        ),
        (
            "a way up inside",
            zip(&[script(), Entry::file("model/../../x", "x")]),
        ),
        (
            "an absolute path",
            zip(&[script(), Entry::file("/etc/cron.d/x", "x")]),
        ),
        (
            "a path of Windows",
            zip(&[script(), Entry::file("model\\..\\..\\x", "x")]),
        ),
        ("a drive", zip(&[script(), Entry::file("C:/x", "x")])),
        (
            "a link",
            zip(&[script(), Entry::link("model/link", "/etc/passwd")]),
        ),
        (
            "a device",
            zip(&[script(), Entry::file("model/tty", "").mode(0o020_666)]),
        ),
        (
            "an encrypted entry",
            zip(&[script(), Entry::file("model/x", "x").encrypted()]),
        ),
        (
            "a bomb",
            zip(&[
                script(),
                Entry::file("model/x", [0; 1000])
                    .method(8)
                    .claiming(0xffff_fff0),
            ]),
        ),
        ("one name twice", zip(&[script(), script()])),
        (
            "a name with a line break",
            zip(&[script(), Entry::file("model/a\nb", "x")]),
        ),
        ("no archive", b"#!/bin/sh\nreboot\n".to_vec()),
        ("nothing", Vec::new()),
        ("half an archive", model("exit 0", &[])[..60].to_vec()),
    ];
    for (what, archive) in harmful {
        let init = json!({"pkg_name": "harmful", "version": "1.0.0"});
        let answer = committed(&scene.mallory, &init, &[&archive]).await;
        scene.refused(what, &answer, 400, "package_refused");
        let path = "/packages/harmful/1.0.0";
        let package = scene.mallory.get(path).await;
        assert_eq!(
            package.status,
            StatusCode::NOT_FOUND,
            "{what}: {}",
            package.text
        );
    }
}

pub(super) async fn parts_that_do_not_fit(scene: &mut Scene<'_>) {
    let archive = model("exit 0", &[]);
    let init = json!({"pkg_name": "odd", "version": "1.0.0"});
    let sent = uploaded(&scene.mallory, &init, &[&archive]).await;
    let part = &sent.parts[0];
    let wrong = json!({"PartNumber": 1, "ETag": "9bb58f26192e4ba00f01e2e7b136bbd8"});
    let second = json!({"PartNumber": 2, "ETag": part["ETag"]});
    let commit = format!("/commit/{}", sent.id);
    for (what, parts, code) in [
        ("no parts", json!([]), "invalid_parts"),
        ("twice the same", json!([part, part]), "invalid_parts"),
        ("out of order", json!([second, part]), "invalid_parts"),
        (
            "number 0",
            json!([{"PartNumber": 0, "ETag": part["ETag"]}]),
            "invalid_parts",
        ),
        (
            "number 10,001",
            json!([{"PartNumber": 10_001, "ETag": part["ETag"]}]),
            "invalid_parts",
        ),
        (
            "one that never came",
            json!([part, second]),
            "invalid_parts",
        ),
        ("another's bytes", json!([wrong]), "invalid_parts"),
    ] {
        scene
            .try_post(what, &commit, &json!({"parts": parts}), 400, code)
            .await;
    }
    for number in ["0", "10001", "-1", "1e3", "99999999999"] {
        let path = format!("/part/{}?part_number={number}", sent.id);
        scene
            .try_call(Method::POST, &path, 400, "invalid_query")
            .await;
    }
    announced_otherwise(scene, &archive).await;
    committed_again(scene, &sent).await;
}

/// Sizes and checksums that are not the archive's.
async fn announced_otherwise(scene: &mut Scene<'_>, archive: &[u8]) {
    for (what, field, value) in [
        (
            "more bytes than announced",
            "size_bytes",
            json!(archive.len() - 1),
        ),
        (
            "fewer bytes than announced",
            "size_bytes",
            json!(archive.len() + 1),
        ),
        (
            "another checksum",
            "sha256",
            json!(format!("{:x}", Sha256::digest(b"x"))),
        ),
    ] {
        let mut init = json!({"pkg_name": "odd", "version": "2.0.0"});
        init[field] = value;
        let answer = committed(&scene.mallory, &init, &[archive]).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{what}: {}",
            answer.text
        );
        scene.tried += 1;
        let package = scene.mallory.get("/packages/odd/2.0.0").await;
        assert_eq!(
            package.status,
            StatusCode::NOT_FOUND,
            "{what}: {}",
            package.text
        );
    }
    for (what, size) in [
        ("nothing", json!(0)),
        ("too much", json!(5_000_000_000_001_u64)),
        ("less", json!(-1)),
    ] {
        let body = json!({"pkg_name": "odd", "version": "2.0.0", "size_bytes": size});
        scene
            .try_post(what, "/init", &body, 400, "invalid_body")
            .await;
    }
}

/// The same upload twice, at once and later, and another one of the same version: one package, the first.
async fn committed_again(scene: &mut Scene<'_>, sent: &Sent) {
    let Sent { id, parts } = sent;
    let (commit, body) = (format!("/commit/{id}"), json!({"parts": parts}));
    let (one, two) = tokio::join!(
        scene.mallory.post(&commit, &body),
        scene.mallory.post(&commit, &body)
    );
    assert_eq!(
        (one.status, two.status),
        (StatusCode::OK, StatusCode::OK),
        "{} {}",
        one.text,
        two.text
    );
    assert_eq!(one.json, two.json);
    scene.tried += 1;
    let other = model("exit 1", &[]);
    let init = json!({"pkg_name": "odd", "version": "1.0.0"});
    scene
        .try_post("a version again", "/init", &init, 409, "version_exists")
        .await;
    let there = scene.mallory.get("/packages/odd/1.0.0").await;
    assert_eq!(there.json, one.json);
    // Two uploads that began before either was a package.
    let init = json!({"pkg_name": "odd", "version": "3.0.0"});
    let first = uploaded(&scene.mallory, &init, &[&other]).await;
    let second = uploaded(&scene.mallory, &init, &[&other]).await;
    let commit = |sent: &Sent| (format!("/commit/{}", sent.id), json!({"parts": sent.parts}));
    let ((path, body), (late_path, late_body)) = (commit(&first), commit(&second));
    let (one, two) = tokio::join!(
        scene.mallory.post(&path, &body),
        scene.mallory.post(&late_path, &late_body)
    );
    let lost = if one.status == StatusCode::OK {
        &two
    } else {
        &one
    };
    scene.refused(
        "two uploads of a version at once",
        lost,
        409,
        "version_exists",
    );
    for version in ["1.0.0", "3.0.0"] {
        let deleted = scene
            .mallory
            .delete(&format!("/packages/odd/{version}"))
            .await;
        assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    }
}
