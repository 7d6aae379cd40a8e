//! Commits: what makes a package, what leaves the upload open, and what fails it.

use serde_json::{Value, json};

use super::support::{MIB, Sent, Shelf, archive, version};

#[tokio::test]
async fn committing_again_answers_the_same_package() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let first = shelf.commit("ann", &sent).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = shelf.commit("ann", &sent).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(shelf.calls("CompleteMultipartUpload"), 1);
    assert_eq!(shelf.s3().keys().len(), 1);
    // What was deleted does not come back by it.
    assert_eq!(
        shelf.delete("ann", "/packages/model/1.0.0").await.status,
        200
    );
    assert_eq!(
        shelf.commit("ann", &sent).await.problem(404),
        "unknown_package"
    );
}

#[tokio::test]
async fn as_many_parts_as_s3_takes_are_read() {
    let shelf = Shelf::start().await;
    let id = shelf.begin("ann", &version("1.0.0")).await;
    let etag = format!("\"{}\"", "0".repeat(32));
    let parts: Vec<Value> = (1..=10_000)
        .map(|number| json!({"PartNumber": number, "ETag": etag}))
        .collect();
    let parts = Value::Array(parts);
    // None of them has arrived; that is what it says.
    let answer = shelf.commit("ann", &Sent { id, parts }).await;
    assert_eq!(answer.problem(400), "invalid_parts");
}

#[tokio::test]
async fn parts_that_do_not_fit_leave_the_upload_open() {
    let shelf = Shelf::start().await;
    let archive = archive(7 * MIB);
    let mut body = version("1.0.0");
    body["size_bytes"] = json!(archive.len());
    let sent = shelf.sent("ann", &body, &archive).await;
    let small = shelf.send_part("ann", &sent.id, 3, b"too much").await;
    let part = |number: u32, etag: &Value| json!({"PartNumber": number, "ETag": etag});
    let [first, second] = [&sent.parts[0]["ETag"], &sent.parts[1]["ETag"]];
    let third = json!(small.etag());
    let cases = [
        (json!([]), "empty"),
        (json!([part(2, second), part(1, first)]), "out of order"),
        (json!([part(1, first), part(1, first)]), "twice"),
        (json!([part(0, first)]), "does not exist"),
        (json!([part(10_001, first)]), "does not exist"),
        (
            json!([part(1, first), part(4, first)]),
            "Part 4 has not arrived",
        ),
        (
            json!([part(1, first), part(2, first)]),
            "Part 2 has the ETag",
        ),
        // Each part is fine, but they are not what was announced.
        (json!([part(1, first)]), "POST /init announced"),
        (
            json!([part(1, first), part(3, &third)]),
            "POST /init announced",
        ),
        // The second one is too small to be in the middle.
        (
            json!([part(1, first), part(2, second), part(3, &third)]),
            "at least",
        ),
    ];
    for (parts, expected) in cases {
        let wrong = Sent {
            parts: parts.clone(),
            id: sent.id.clone(),
        };
        let answer = shelf.commit("ann", &wrong).await;
        assert_eq!(answer.problem(400), "invalid_parts", "{parts}");
        assert!(
            answer.detail().contains(expected),
            "{parts}: {}",
            answer.detail()
        );
    }
    for malformed in [
        json!({"parts": [{"PartNumber": 1}]}),
        json!({}),
        json!({"parts": "x"}),
    ] {
        let answer = shelf
            .post("ann", &format!("/commit/{}", sent.id), &malformed)
            .await;
        assert_eq!(answer.problem(400), "invalid_body", "{malformed}");
    }
    assert_eq!(shelf.calls("CompleteMultipartUpload"), 0);
    assert_eq!(shelf.commit("ann", &sent).await.status, 200);
}

#[tokio::test]
async fn what_s3_refuses_leaves_the_upload_open() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    // A part is exchanged after the function has looked.
    let call = haulout_tests::call::Action {
        service: haulout_tests::call::Service::S3,
        name: "CompleteMultipartUpload".to_owned(),
    };
    let refused =
        haulout_tests::faults::Trouble::Refused(haulout_tests::call::Refusal::Code("InvalidPart"));
    shelf.world.faults.arm(haulout_tests::faults::CallFault {
        times: 1,
        ..haulout_tests::faults::CallFault::new("packages", &call, refused)
    });
    let answer = shelf.commit("ann", &sent).await;
    assert_eq!(answer.problem(400), "invalid_parts");
    assert!(
        answer.detail().contains("InvalidPart"),
        "{}",
        answer.detail()
    );
    assert_eq!(shelf.upload(&sent.id).await.status.as_str(), "open");
    assert_eq!(shelf.commit("ann", &sent).await.status, 200);
}

#[tokio::test]
async fn an_archive_that_is_not_what_was_announced_fails_and_is_deleted() {
    let shelf = Shelf::start().await;
    let mut body = version("1.0.0");
    body["sha256"] = json!("ab".repeat(32));
    let sent = shelf.sent("ann", &body, &archive(10)).await;
    for _ in 0..2 {
        let answer = shelf.commit("ann", &sent).await;
        assert_eq!(answer.problem(400), "package_refused");
        assert!(answer.detail().contains("SHA-256"), "{}", answer.detail());
    }
    assert_eq!((shelf.s3().keys().len(), shelf.s3().uploads()), (0, 0));
    assert_eq!(shelf.package("model@1.0.0").await, None);
    let seen = shelf
        .get("ann", &format!("/uploads/{}", sent.id))
        .await
        .json();
    assert_eq!(seen["status"], "failed");
    assert!(
        seen["reason"].as_str().unwrap().contains("SHA-256"),
        "{seen}"
    );
    // The version is free.
    shelf.published("ann", &version("1.0.0")).await;
}

#[tokio::test]
async fn what_is_announced_rightly_is_taken() {
    let shelf = Shelf::start().await;
    let archive = archive(10);
    let mut body = version("1.0.0");
    body["sha256"] = json!(haulout_domain::digest::sha256_hex(&archive).to_uppercase());
    body["size_bytes"] = json!(archive.len());
    let sent = shelf.sent("ann", &body, &archive).await;
    let answer = shelf.commit("ann", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn what_is_no_archive_fails_and_is_deleted() {
    let shelf = Shelf::start().await;
    let good = archive(10);
    for (number, bytes) in [
        b"not a zip file, but long enough to be one".to_vec(),
        b"PK".to_vec(),
        good[..good.len() - 4].to_vec(),
        [&good[..], b"tail"].concat(),
    ]
    .into_iter()
    .enumerate()
    {
        let sent = shelf
            .sent("ann", &version(&format!("1.0.{number}")), &bytes)
            .await;
        let answer = shelf.commit("ann", &sent).await;
        assert_eq!(answer.problem(400), "package_refused", "{number}");
        assert_eq!(shelf.s3().keys().len(), 0);
    }
}

#[tokio::test]
async fn a_large_archive_is_looked_into_by_its_end_alone() {
    let bounds = haulout_packages::Settings {
        hashed_bytes: 1000,
        ..haulout_packages::Settings::default()
    };
    let shelf = Shelf::start_with(haulout_tests::settings::Settings::default(), bounds).await;
    let archive = archive(12 * MIB);
    let mut body = version("1.0.0");
    body["sha256"] = json!("ab".repeat(32));
    let sent = shelf.sent("ann", &body, &archive).await;
    let answer = shelf.commit("ann", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Nobody has read it: what was announced stands, and whoever downloads it finds out.
    assert_eq!(answer.json()["sha256"], "ab".repeat(32));
    assert_eq!(answer.json()["entries"], 2);
    assert_eq!(shelf.calls("GetObject"), 1);
}

#[tokio::test]
async fn a_version_is_there_once() {
    let shelf = Shelf::start().await;
    let late = shelf.sent("bob", &version("1.0.0"), &archive(20)).await;
    let first = shelf.published("ann", &version("1.0.0")).await;
    for _ in 0..2 {
        assert_eq!(
            shelf.commit("bob", &late).await.problem(409),
            "version_exists"
        );
    }
    assert_eq!((shelf.s3().keys().len(), shelf.s3().uploads()), (1, 0));
    let answer = shelf.post("bob", "/init", &version("1.0.0")).await;
    assert_eq!(answer.problem(409), "version_exists");
    let there = shelf.get("bob", "/packages/model/1.0.0").await.json();
    assert_eq!(there, first);
    // Another way to write the version is another version.
    shelf.published("bob", &version("v1.0.0")).await;
}
