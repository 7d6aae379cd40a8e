//! Attempts on what is somebody else's: machines, claims, uploads, packages, users, the pool.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::fixture::text,
    Scene,
    archives::{committed, uploaded},
};
use crate::staging::archive::model;

/// What the victim has.
pub(super) struct Things {
    pub(super) machine: String,
    pub(super) upload: String,
}

impl Things {
    pub(super) async fn of(scene: &Scene<'_>) -> Self {
        let victim = &scene.victim;
        let machine = victim
            .post("/instances", &json!({"name": "of the victim"}))
            .await;
        assert_eq!(machine.status, StatusCode::ACCEPTED, "{}", machine.text);
        let init = json!({"pkg_name": "victims", "version": "2.0.0"});
        let upload = uploaded(victim, &init, &[b"a part that has arrived"]).await;
        let init = json!({"pkg_name": "victims", "version": "1.0.0", "is_sensitive": true});
        let archive = model("exit 0", &[]);
        let package = committed(victim, &init, &[&archive]).await;
        assert_eq!(package.status, StatusCode::OK, "{}", package.text);
        Self {
            machine: text(&machine.json, "id").to_owned(),
            upload: upload.id,
        }
    }

    /// What an attack might have changed.
    pub(super) async fn as_they_are(&self, scene: &Scene<'_>) -> Value {
        let admin = &scene.fixture.api;
        let machine = admin
            .get(&format!("/instances/{}", self.machine))
            .await
            .json;
        let upload = admin.get(&format!("/uploads/{}", self.upload)).await.json;
        let users = admin.get("/users?limit=100").await.json["users"].clone();
        let users: Vec<Value> = users
            .as_array()
            .expect("users")
            .iter()
            .map(|user| {
                json!([
                    user["username"],
                    user["roles"],
                    user["groups"],
                    user["quota"]
                ])
            })
            .collect();
        let pool = admin.get("/pool").await.json;
        let bounds = json!([pool["buffer"], pool["min"], pool["max"]]);
        let mine = scene.mallory.get("/instances").await.json["total"].clone();
        json!({
            "machine": [machine["owner"], machine["name"], machine["error"], machine["status"] != "terminating"],
            "upload": [upload["status"], upload["parts"]],
            "users": users,
            "packages": admin.get("/packages?limit=100").await.json,
            "bounds": bounds,
            "attackers_machines": mine,
            "drain": admin.get("/drain").await.json["draining"],
        })
    }

    pub(super) async fn give_back(&self, scene: &Scene<'_>) {
        let victim = &scene.victim;
        let ended = victim.delete(&format!("/instances/{}", self.machine)).await;
        assert_eq!(ended.status, StatusCode::ACCEPTED, "{}", ended.text);
        let given_up = victim
            .post(&format!("/abort/{}", self.upload), &json!({}))
            .await;
        assert_eq!(given_up.status, StatusCode::OK, "{}", given_up.text);
        let deleted = victim.delete("/packages/victims/1.0.0").await;
        assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    }
}

/// Calls without a body on what is not the attacker's, and what they are answered with. `M` is the victim's machine, `U`
/// its upload.
const CALLS: &[(&str, &str)] = &[
    ("GET /instances/M", "not_yours"),
    ("DELETE /instances/M", "not_yours"),
    ("POST /instances/M/stop", "not_yours"),
    ("POST /instances/M/start", "not_yours"),
    ("GET /instances/M/metrics", "not_yours"),
    ("DELETE /api/instances/M", "not_yours"),
    ("GET /uploads/U", "not_yours"),
    ("POST /part/U?part_number=1", "not_yours"),
    ("POST /abort/U", "not_yours"),
    ("GET /history/victim", "not_yours"),
    ("GET /packages/victims/1.0.0", "not_yours"),
    ("DELETE /packages/victims/1.0.0", "not_yours"),
    ("GET /users", "forbidden"),
    ("DELETE /users/victim", "forbidden"),
    ("POST /packages/sync", "forbidden"),
    ("POST /drain", "forbidden"),
    ("DELETE /drain", "forbidden"),
];

pub(super) async fn somebody_elses(scene: &mut Scene<'_>, things: &Things) {
    for (call, code) in CALLS {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let path = path.replace("/M", &format!("/{}", things.machine));
        let path = path.replace("/U", &format!("/{}", things.upload));
        let method = method.parse().expect("a method");
        scene.try_call(method, &path, 403, code).await;
    }
    with_bodies(scene, things).await;
    more_rights(scene).await;
}

async fn with_bodies(scene: &mut Scene<'_>, things: &Things) {
    let commit = format!("/commit/{}", things.upload);
    let parts = json!({"parts": [{"PartNumber": 1, "ETag": "9bb58f26192e4ba00f01e2e7b136bbd8"}]});
    let package = json!({"package": "victims@1.0.0"});
    let mine = json!({"pkg_name": "victims", "version": "1.0.0", "is_sensitive": false});
    for (what, path, body, code) in [
        ("a commit", commit.as_str(), parts, "not_yours"),
        ("a package", "/instances", package, "download_blocked"),
        ("taking over", "/register-package", mine, "forbidden"),
    ] {
        scene.try_post(what, path, &body, 403, code).await;
    }
    for ticket in ["0".repeat(64), "f".repeat(64)] {
        let body = json!({"ticket": ticket, "redemption": "a".repeat(64)});
        scene
            .try_post("a guess", "/tickets/redeem", &body, 404, "unknown_ticket")
            .await;
    }
    // The machine is none of the pool's.
    let destroy = json!({"machineId": things.machine});
    let answer = scene.mallory.post("/destroy", &destroy).await;
    assert!(answer.status.is_client_error(), "{}", answer.text);
    scene.tried += 1;
}

/// Roles, groups and quotas for oneself, for others, and from them.
async fn more_rights(scene: &mut Scene<'_>) {
    let higher = json!({"roles": ["admin"], "groups": ["research"], "quota": 1000});
    let bounds = json!({"buffer": 0, "min": 0, "max": 0});
    for (method, path, body) in [
        (Method::PATCH, "/users/mallory", &higher),
        (Method::PATCH, "/users/victim", &higher),
        (Method::PATCH, "/users/admin", &higher),
        (Method::PUT, "/pool", &bounds),
    ] {
        let answer = scene
            .mallory
            .send(method, path, &[], body.to_string())
            .await;
        scene.refused(path, &answer, 403, "forbidden");
    }
}
