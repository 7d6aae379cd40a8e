//! Archives that somebody put into the bucket by hand.

use haulout_tests::callers::TOKEN;
use serde_json::json;

use super::support::{Shelf, archive, version};

const KEY: &str = "packages/model/v1.0/package.zip";

#[tokio::test]
async fn an_archive_in_the_bucket_becomes_a_package() {
    let shelf = Shelf::start().await;
    let mut body = version("v1.0");
    body["description"] = json!("from before");
    let answer = shelf.post("operator", "/register-package", &body).await;
    assert_eq!(answer.problem(404), "unknown_package");
    assert!(
        answer.detail().contains("packages/model/v1.0/"),
        "{}",
        answer.detail()
    );
    shelf.s3().put(KEY, &archive(100));
    let answer = shelf.post("ann", "/register-package", &body).await;
    assert_eq!(answer.problem(403), "forbidden");
    let answer = shelf.post("operator", "/register-package", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let package = answer.json();
    assert_eq!(
        (
            &package["state"],
            &package["description"],
            &package["owner"],
            &package["has_script"]
        ),
        (
            &json!("ready"),
            &json!("from before"),
            &json!("operator"),
            &json!(true)
        )
    );
    let again = shelf.post(TOKEN, "/register-package", &body).await;
    assert_eq!((again.status, again.json()), (200, package));
    let link = shelf.get("bob", "/download/model/v1.0").await.json();
    assert_eq!(shelf.carry_out("GET", &link, b"").body, archive(100));
    assert_eq!(shelf.sync().await[0]["found"], json!([]));
}

#[tokio::test]
async fn what_is_no_archive_or_not_the_only_one_is_not_registered() {
    let shelf = Shelf::start().await;
    shelf.s3().put(KEY, b"nothing that could be unpacked");
    let answer = shelf
        .post("operator", "/register-package", &version("v1.0"))
        .await;
    assert_eq!(answer.problem(400), "package_refused");
    shelf.s3().put(KEY, &archive(1));
    shelf.s3().put("packages/model/v1.0/other.zip", &archive(2));
    // Another version's, and no archive.
    shelf
        .s3()
        .put("packages/model/v1.0.1/package.zip", &archive(3));
    shelf.s3().put("packages/model/v1.0/readme.txt", b"hello");
    let answer = shelf
        .post("operator", "/register-package", &version("v1.0"))
        .await;
    assert_eq!(answer.problem(409), "conflict");
    shelf.s3().remove("packages/model/v1.0/other.zip");
    let answer = shelf
        .post("operator", "/register-package", &version("v1.0"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn the_archive_of_an_upload_under_way_is_not_registered() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(1)).await;
    let upload = shelf.upload(&sent.id).await;
    shelf.s3().put(&upload.key.to_string(), &archive(1));
    let answer = shelf
        .post("operator", "/register-package", &version("1.0.0"))
        .await;
    assert_eq!(answer.problem(404), "unknown_package");
}

#[tokio::test]
async fn what_was_found_becomes_ready_with_what_is_said_of_it() {
    let shelf = Shelf::start().await;
    shelf.s3().put(KEY, &archive(100));
    shelf.sync().await;
    let found = shelf.package("model@v1.0").await.unwrap();
    assert_eq!(
        (found.state.as_str(), found.is_sensitive),
        ("unverified", true)
    );
    let answer = shelf
        .post("operator", "/register-package", &version("v1.0"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // What is not said stays: nobody knows who may have it.
    assert_eq!(
        (&answer.json()["state"], &answer.json()["is_sensitive"]),
        (&json!("ready"), &json!(true))
    );
    shelf
        .s3()
        .put("packages/model/v2.0/package.zip", &archive(100));
    shelf.sync().await;
    let mut body = version("v2.0");
    body["is_sensitive"] = json!(false);
    body["allowed_groups"] = json!(["research"]);
    let answer = shelf.post("operator", "/register-package", &body).await;
    let package = answer.json();
    assert_eq!(
        (
            &package["state"],
            &package["is_sensitive"],
            &package["allowed_groups"]
        ),
        (&json!("ready"), &json!(false), &json!(["research"]))
    );
}

#[tokio::test]
async fn an_archive_that_is_back_is_registered_again() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let key = shelf.s3().keys().remove(0);
    shelf.s3().remove(&key);
    shelf.sync().await;
    let answer = shelf
        .post("operator", "/register-package", &version("1.0.0"))
        .await;
    assert_eq!(answer.problem(404), "unknown_package");
    shelf.s3().put(&key, &archive(200));
    let answer = shelf
        .post("operator", "/register-package", &version("1.0.0"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let package = answer.json();
    assert_eq!(
        (&package["state"], &package["owner"]),
        (&json!("ready"), &json!("ann"))
    );
    assert_eq!(package["size_bytes"], archive(200).len());
    assert_eq!(
        package["sha256"],
        haulout_domain::digest::sha256_hex(&archive(200))
    );
}
