//! A service has packages as a user does: under the name of its role, and under no other.

use haulout_tests::gateway::{Answer, GatewayEvent, SERVICE_API_ID};
use serde_json::{Value, json};

use super::support::{Shelf, archive, version, word};

const DEPLOYER: &str = "arn:aws:sts::123456789012:assumed-role/Deployer/monday";

async fn signed(shelf: &Shelf, arn: &str, event: GatewayEvent) -> Answer {
    let event = event.through(SERVICE_API_ID).signed_by(arn);
    shelf.stranger(event).await
}

async fn post(shelf: &Shelf, path: &str, body: &Value) -> Answer {
    let event = GatewayEvent::post(path, body.to_string());
    signed(shelf, DEPLOYER, event).await
}

/// A sensitive package that a service uploads, in one part.
async fn published(shelf: &Shelf) -> Value {
    let mut body = version("1.0.0");
    body["is_sensitive"] = json!(true);
    let id = word(&post(shelf, "/init", &body).await.json(), "upload_id");
    let link = post(shelf, &format!("/part/{id}?part_number=1"), &json!({})).await;
    let sent = shelf.carry_out("PUT", &link.json(), &archive(10));
    let parts = json!({"parts": [{"PartNumber": 1, "ETag": sent.etag()}]});
    let answer = post(shelf, &format!("/commit/{id}"), &parts).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn what_a_service_uploads_is_its_own_in_every_session_of_its_role() {
    let shelf = Shelf::start().await;
    assert_eq!(published(&shelf).await["owner"], "iam:role:deployer");
    let get = || GatewayEvent::get("/download/model/1.0.0");
    for (arn, status) in [
        (
            "arn:aws:sts::123456789012:assumed-role/Deployer/tuesday",
            200,
        ),
        ("arn:aws:sts::123456789012:assumed-role/Other/monday", 403),
        // Of the same name, but another kind.
        ("arn:aws:iam::123456789012:user/Deployer", 403),
        ("arn:aws:iam::123456789012:user/admin", 403),
    ] {
        let answer = signed(&shelf, arn, get()).await;
        assert_eq!(answer.status, status, "{arn}: {}", answer.text());
    }
    assert_eq!(shelf.get("bob", "/download/model/1.0.0").await.status, 403);
}

#[tokio::test]
async fn a_services_history_is_read_by_its_name() {
    let shelf = Shelf::start().await;
    published(&shelf).await;
    let get = GatewayEvent::get("/download/model/1.0.0");
    assert_eq!(signed(&shelf, DEPLOYER, get).await.status, 200);
    let path = "/history/iam:role:deployer";
    let own = signed(&shelf, DEPLOYER, GatewayEvent::get(path)).await;
    let all = shelf.get("reader", path).await;
    for answer in [own, all] {
        let history = answer.json();
        assert_eq!(
            (&history["user_id"], &history["count"]),
            (&json!("iam:role:deployer"), &json!(1))
        );
    }
    assert_eq!(shelf.get("bob", path).await.problem(403), "not_yours");
    let others = signed(&shelf, DEPLOYER, GatewayEvent::get("/history/bob")).await;
    assert_eq!(others.problem(403), "not_yours");
    for wrong in ["/history/iam:role:", "/history/iam:group:x", "/history/a:b"] {
        assert_eq!(
            shelf.get("reader", wrong).await.problem(400),
            "invalid_path",
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_service_asks_about_itself_as_a_user_does() {
    let shelf = Shelf::start().await;
    published(&shelf).await;
    let mut body = version("1.0.0");
    for user in [None, Some("iam:role:deployer")] {
        if let Some(user) = user {
            body["user_id"] = json!(user);
        }
        let answer = post(&shelf, "/validate", &body).await;
        assert_eq!(
            answer.json()["allowed"],
            json!(true),
            "{user:?}: {}",
            answer.text()
        );
    }
    body["user_id"] = json!("iam:role:other");
    assert_eq!(
        post(&shelf, "/validate", &body).await.problem(403),
        "not_yours"
    );
    let answer = shelf.post("reader", "/validate", &body).await;
    assert_eq!(answer.problem(404), "unknown_user");
    body["user_id"] = json!("iam:other");
    let answer = shelf.post("reader", "/validate", &body).await;
    assert_eq!(answer.problem(400), "invalid_body");
}
