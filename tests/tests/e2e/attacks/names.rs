//! Names and ids that mean something to a shell, a path, a query or JSON.

use http::Method;
use serde_json::json;

use super::{Scene, things::Things};

/// What no name is.
const ODD: &[&str] = &[
    "../victims",
    "..",
    "a/../../b",
    "/etc/passwd",
    "..\\b",
    "$(reboot)",
    "`reboot`",
    "; rm -rf /",
    "a b",
    "a\nb",
    "a\u{0}b",
    "\",\"owner\":\"mallory",
    "{\"S\":\"x\"}",
    "' OR '1'='1",
    "#users",
    "victim\u{202e}",
    "ｖictim",
];

pub(super) async fn that_mean_something_else(scene: &mut Scene<'_>, things: &Things) {
    for odd in ODD {
        bodies(scene, odd).await;
        paths(scene, odd, things).await;
    }
}

async fn bodies(scene: &mut Scene<'_>, odd: &str) {
    let stage = [
        ("blob_id", json!({"blob_id": odd})),
        ("package", json!({"package": format!("{odd}@1.0.0")})),
        ("instance_type", json!({"instance_type": odd})),
        ("subnet_id", json!({"subnet_id": odd})),
        (
            "sha256",
            json!({"blob_id": "M4hsZGQ1oCktdzegB6HnI6Mi28S2nqOPHxK-W7_4BUk", "sha256": odd}),
        ),
    ];
    for (what, body) in stage {
        scene
            .try_post(what, "/instances", &body, 400, "invalid_body")
            .await;
    }
    let name = json!({"pkg_name": odd, "version": "1.0.0"});
    scene
        .try_post("a package's name", "/init", &name, 400, "invalid_body")
        .await;
    let version = json!({"pkg_name": "mine", "version": odd});
    scene
        .try_post("a version", "/init", &version, 400, "invalid_body")
        .await;
    let user = json!({"username": odd, "password": "correct horse"});
    let answer = scene.fixture.stranger().post("/register", &user).await;
    scene.refused(&format!("a user {odd:?}"), &answer, 400, "invalid_body");
}

async fn paths(scene: &mut Scene<'_>, odd: &str, things: &Things) {
    let escaped = odd
        .bytes()
        .fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
    // A slash is one however it is written: there is nothing at such a path.
    let (status, code) = if odd.contains('/') {
        (404, "unknown_path")
    } else {
        (400, "invalid_path")
    };
    for path in [
        format!("/packages/{escaped}/1.0.0"),
        format!("/packages/victims/{escaped}"),
        format!("/download/{escaped}/1.0.0"),
        format!("/instances/{escaped}"),
        format!("/uploads/{escaped}"),
        format!("/projects/{escaped}/machine"),
    ] {
        scene.try_call(Method::GET, &path, status, code).await;
    }
    let cursor = format!("/instances?cursor={escaped}");
    scene
        .try_call(Method::GET, &cursor, 400, "invalid_cursor")
        .await;
    // An id with something behind it is not that id.
    let path = format!("/instances/{}{escaped}", things.machine);
    scene.try_call(Method::DELETE, &path, status, code).await;
}
