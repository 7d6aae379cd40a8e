//! Uploads from their beginning until they are committed: parts, resumption, aborting, expiry, and whose they are.

use haulout_tests::{callers::TOKEN, gateway::GatewayEvent};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::{MIB, Shelf, archive, version, word};

#[tokio::test]
async fn an_archive_goes_up_in_three_parts_of_which_one_is_sent_twice() {
    let shelf = Shelf::start().await;
    let archive = archive(12 * MIB);
    let mut body = version("1.0.0");
    body["description"] = json!("a test");
    body["size_bytes"] = json!(archive.len());
    let answer = shelf.post("ann", "/init", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let started = answer.json();
    assert_eq!(started["part_size"], 8 * MIB);
    let expires: Timestamp = word(&started, "expires_at").parse().unwrap();
    assert_eq!(expires.duration_since(shelf.now()).as_hours(), 24);
    let id = word(&started, "upload_id");

    let chunks: Vec<&[u8]> = archive.chunks(5 * MIB).collect();
    let mut parts = Vec::new();
    // The second one breaks off, and is sent again; the third one arrives before it.
    let broken = shelf.send_part("ann", &id, 2, &chunks[1][..MIB]).await;
    assert_eq!(broken.status, 200);
    for (number, chunk) in [(1, chunks[0]), (3, chunks[2])] {
        let reply = shelf.send_part("ann", &id, number, chunk).await;
        parts.push(json!({"PartNumber": number, "ETag": reply.etag()}));
    }
    let seen = shelf.get("ann", &format!("/uploads/{id}")).await.json();
    assert_eq!(seen["status"], "open");
    let numbers: Vec<_> = seen["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["PartNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(seen["parts"][1]["size_bytes"], MIB);

    let again = shelf.send_part("ann", &id, 2, chunks[1]).await;
    assert_ne!(again.etag(), broken.etag());
    parts.insert(1, json!({"PartNumber": 2, "ETag": again.etag()}));
    let seen = shelf.get("ann", &format!("/uploads/{id}")).await.json();
    assert_eq!(seen["received_bytes"], archive.len());

    let answer = shelf
        .post("ann", &format!("/commit/{id}"), &json!({"parts": parts}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let package = answer.json();
    assert_eq!(package["package"], "model@1.0.0");
    assert_eq!(package["state"], "ready");
    assert_eq!(package["size_bytes"], archive.len());
    assert_eq!(
        package["sha256"],
        haulout_domain::digest::sha256_hex(&archive)
    );
    assert_eq!(package["crc64nvme"], haulout_tests::s3::crc64nvme(&archive));
    assert_eq!(package["owner"], "ann");
    assert_eq!(package["has_script"], true);
    assert_eq!(package["entries"], 2);
    assert_eq!(package["upload_id"], id);
    let key = shelf.package("model@1.0.0").await.unwrap().key.to_string();
    assert_eq!(shelf.s3().object(&key).unwrap(), archive);
    let seen = shelf.get("ann", &format!("/uploads/{id}")).await.json();
    assert_eq!(
        (&seen["status"], &seen["parts"]),
        (&json!("committed"), &json!([]))
    );
}

#[tokio::test]
async fn a_request_with_the_same_key_begins_one_upload() {
    let shelf = Shelf::start().await;
    let request = |body: &Value| {
        GatewayEvent::post("/init", body.to_string()).header("idempotency-key", "k1")
    };
    let first = shelf.send("ann", request(&version("1.0.0"))).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = shelf.send("ann", request(&version("1.0.0"))).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(shelf.s3().uploads(), 1);
    let other = shelf.send("ann", request(&version("2.0.0"))).await;
    assert_eq!(other.problem(409), "idempotency_key_reused");
    // Somebody else's key is another one.
    let bob = shelf.send("bob", request(&version("2.0.0"))).await;
    assert_eq!(bob.status, 200, "{}", bob.text());
    shelf.jump(25);
    let later = shelf.send("ann", request(&version("2.0.0"))).await;
    assert_eq!(later.status, 200, "{}", later.text());
}

#[tokio::test]
async fn what_cannot_begin_is_told_why() {
    let shelf = Shelf::start().await;
    for (field, value, code) in [
        ("pkg_name", json!("../x"), "invalid_body"),
        ("pkg_name", json!("a/b"), "invalid_body"),
        ("version", json!("new"), "invalid_body"),
        ("size_bytes", json!(0), "invalid_body"),
        ("size_bytes", json!(6_000_000_000_000_u64), "invalid_body"),
        ("sha256", json!("abc"), "invalid_body"),
        ("description", json!("x".repeat(1_001)), "invalid_body"),
        ("allowed_groups", json!(["not a group"]), "invalid_body"),
        ("rule", json!("package.nothing == 1"), "invalid_body"),
        ("rule", json!("1 +"), "invalid_body"),
        ("unknown", json!(1), "invalid_body"),
    ] {
        let mut body = version("1.0.0");
        body[field] = value;
        let answer = shelf.post("ann", "/init", &body).await;
        assert_eq!(answer.problem(400), code, "{body}");
    }
    assert_eq!(shelf.s3().uploads(), 0);
    let reader = shelf.post("reader", "/init", &version("1.0.0")).await;
    assert_eq!(reader.problem(403), "forbidden");
}

#[tokio::test]
async fn an_upload_is_its_owners() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let id = &sent.id;
    let part = format!("/part/{id}?part_number=1");
    for (path, body) in [
        (part.clone(), json!({})),
        (format!("/commit/{id}"), json!({"parts": sent.parts})),
        (format!("/abort/{id}"), json!({})),
    ] {
        let answer = shelf.post("bob", &path, &body).await;
        assert_eq!(answer.problem(403), "not_yours", "{path}");
    }
    let seen = format!("/uploads/{id}");
    assert_eq!(shelf.get("bob", &seen).await.problem(403), "not_yours");
    assert_eq!(shelf.get("reader", &seen).await.status, 200);
    assert_eq!(shelf.post("operator", &part, &json!({})).await.status, 200);
    let answer = shelf.commit(TOKEN, &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Who commits it does not take it away.
    assert_eq!(answer.json()["owner"], "ann");
    for path in ["/uploads/u-x", "/uploads/1"] {
        assert_eq!(shelf.get("ann", path).await.problem(400), "invalid_path");
    }
    let unknown = "/uploads/u-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d";
    assert_eq!(
        shelf.get("ann", unknown).await.problem(404),
        "unknown_upload"
    );
}

#[tokio::test]
async fn an_upload_that_is_given_up_takes_nothing_any_more() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let abort = format!("/abort/{}", sent.id);
    for _ in 0..2 {
        let answer = shelf.post("ann", &abort, &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(shelf.s3().uploads(), 0);
    assert_eq!(
        shelf.commit("ann", &sent).await.problem(409),
        "upload_ended"
    );
    let part = format!("/part/{}?part_number=1", sent.id);
    let answer = shelf.post("ann", &part, &json!({})).await;
    assert_eq!(answer.problem(409), "upload_ended");
    let seen = shelf.get("ann", &format!("/uploads/{}", sent.id)).await;
    assert_eq!(seen.json()["status"], "aborted");
    // The version is free.
    shelf.published("bob", &version("1.0.0")).await;
}

#[tokio::test]
async fn an_upload_whose_time_is_over_takes_nothing_any_more() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    shelf
        .world
        .jump(std::time::Duration::from_mins(24 * 60 - 1));
    let part = format!("/part/{}?part_number=1", sent.id);
    let link = shelf.post("ann", &part, &json!({})).await.json();
    // A link does not outlive its upload.
    let until: Timestamp = word(&link, "expires_at").parse().unwrap();
    assert_eq!(until.duration_since(shelf.now()).as_secs(), 60);
    shelf.jump(1);
    for path in [part, format!("/commit/{}", sent.id)] {
        let answer = shelf
            .post("ann", &path, &json!({"parts": sent.parts}))
            .await;
        assert_eq!(answer.problem(410), "expired", "{path}");
    }
    assert_eq!(shelf.package("model@1.0.0").await, None);
}

#[tokio::test]
async fn parts_are_numbered_from_one_to_ten_thousand() {
    let shelf = Shelf::start().await;
    let id = shelf.begin("ann", &version("1.0.0")).await;
    for (number, status) in [
        ("1", 200),
        ("10000", 200),
        ("0", 400),
        ("10001", 400),
        ("-1", 400),
        ("x", 400),
    ] {
        let path = format!("/part/{id}?part_number={number}");
        let answer = shelf.post("ann", &path, &json!({})).await;
        assert_eq!(answer.status, status, "{number}: {}", answer.text());
    }
    let answer = shelf.post("ann", &format!("/part/{id}"), &json!({})).await;
    assert_eq!(answer.problem(400), "invalid_query");
}

#[tokio::test]
async fn more_parts_than_fit_on_a_page_are_all_told() {
    let shelf = Shelf::start().await;
    shelf.s3().page_by(2);
    let id = shelf.begin("ann", &version("1.0.0")).await;
    for number in [1, 2, 3, 7, 9] {
        shelf.send_part("ann", &id, number, &[1]).await;
    }
    let seen = shelf.get("ann", &format!("/uploads/{id}")).await.json();
    let parts = seen["parts"].as_array().unwrap();
    let numbers: Vec<_> = parts
        .iter()
        .map(|it| it["PartNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 7, 9]);
}
