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
    // Whether S3's event or this request came first: it is nobody's else until somebody says so.
    assert_eq!(shelf.get("bob", "/download/model/v1.0").await.status, 403);
    let mut open = body.clone();
    open["is_sensitive"] = json!(false);
    let answer = shelf.post("operator", "/register-package", &open).await;
    assert_eq!(answer.json()["is_sensitive"], false, "{}", answer.text());
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

#[tokio::test]
async fn what_was_found_and_looked_into_is_opened_once_by_whom_it_is_up_to() {
    let shelf = Shelf::start().await;
    shelf.s3().put(KEY, &archive(100));
    // Found, and looked into by the next one.
    shelf.sync().await;
    shelf.sync().await;
    let found = shelf.package("model@v1.0").await.unwrap();
    assert_eq!((found.state.as_str(), found.is_sensitive), ("ready", true));
    assert_eq!(shelf.get("bob", "/download/model/v1.0").await.status, 403);
    // Nothing said, nothing changed.
    let answer = shelf
        .post("operator", "/register-package", &version("v1.0"))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["is_sensitive"]),
        (200, &json!(true))
    );
    let mut body = version("v1.0");
    body["is_sensitive"] = json!(false);
    body["description"] = json!("for all");
    let answer = shelf.post("ann", "/register-package", &body).await;
    assert_eq!(answer.problem(403), "forbidden");
    let answer = shelf.post(TOKEN, "/register-package", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let opened = answer.json();
    assert_eq!(
        (
            &opened["state"],
            &opened["is_sensitive"],
            &opened["description"]
        ),
        (&json!("ready"), &json!(false), &json!("for all"))
    );
    let link = shelf.get("bob", "/download/model/v1.0").await.json();
    assert_eq!(shelf.carry_out("GET", &link, b"").body, archive(100));
    // Once: from then on it stays as it is.
    body["is_sensitive"] = json!(true);
    body["description"] = json!("for none");
    let again = shelf.post(TOKEN, "/register-package", &body).await;
    assert_eq!((again.status, again.json()), (200, opened));
}

#[tokio::test]
async fn what_came_by_an_upload_or_was_registered_stays_as_it_is() {
    let shelf = Shelf::start().await;
    let published = shelf.published("ann", &version("1.0.0")).await;
    shelf.s3().put(KEY, &archive(100));
    let mut open = version("v1.0");
    open["is_sensitive"] = json!(false);
    let registered = shelf
        .post("operator", "/register-package", &open)
        .await
        .json();
    for (number, before) in [("1.0.0", published), ("v1.0", registered)] {
        let mut body = version(number);
        body["is_sensitive"] = json!(true);
        body["allowed_groups"] = json!(["research"]);
        body["rule"] = json!("false");
        let answer = shelf.post(TOKEN, "/register-package", &body).await;
        assert_eq!((answer.status, answer.json()), (200, before), "{number}");
    }
}
