//! Who gets a package: links, questions and the history of both answers.

use haulout_tests::callers::TOKEN;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::{Shelf, archive, version, word};

#[tokio::test]
async fn a_link_gives_the_archive_for_a_while() {
    let shelf = Shelf::start().await;
    let package = shelf.published("ann", &version("1.0.0")).await;
    let answer = shelf.get("bob", "/download/model/1.0.0").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let link = answer.json();
    assert_eq!(link["sha256"], package["sha256"]);
    let until: Timestamp = word(&link, "expires_at").parse().unwrap();
    assert_eq!(until.duration_since(shelf.now()).as_mins(), 15);
    let reply = shelf.carry_out("GET", &link, b"");
    assert_eq!((reply.status, reply.body), (200, archive(100)));
    let other = word(&link, "url").replace("model", "other");
    assert_eq!(
        shelf.carry_out("GET", &json!({"url": other}), b"").status,
        403
    );
    shelf.jump(1);
    assert_eq!(shelf.carry_out("GET", &link, b"").status, 403);
    let unknown = shelf.get("bob", "/download/model/2.0.0").await;
    assert_eq!(unknown.problem(404), "unknown_package");
    let answer = shelf.get("nobody", "/download/model/1.0.0").await;
    assert_eq!(answer.problem(403), "forbidden");
}

#[tokio::test]
async fn groups_and_rules_decide_and_administrators_are_no_exception() {
    let shelf = Shelf::start().await;
    let mut secret = version("1.0.0");
    secret["is_sensitive"] = json!(true);
    secret["allowed_groups"] = json!(["research"]);
    shelf.published("ann", &secret).await;
    let mut ruled = version("2.0.0");
    ruled["rule"] = json!("user.name == 'bob' && request.address == '192.0.2.1'");
    shelf.published("ann", &ruled).await;
    for (who, first, second) in [
        ("ann", 200, 403),
        ("carol", 200, 403),
        ("bob", 403, 200),
        (TOKEN, 403, 403),
        ("operator", 403, 403),
    ] {
        for (version, status) in [("1.0.0", first), ("2.0.0", second)] {
            let answer = shelf.get(who, &format!("/download/model/{version}")).await;
            assert_eq!(answer.status, status, "{who} {version}: {}", answer.text());
            if status == 403 {
                assert_eq!(answer.problem(403), "download_blocked");
            }
        }
    }
}

#[tokio::test]
async fn the_history_has_every_request_newest_first() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let mut secret = version("2.0.0");
    secret["is_sensitive"] = json!(true);
    shelf.published("ann", &secret).await;
    for _ in 0..2 {
        shelf.get("bob", "/download/model/1.0.0").await;
        shelf.jump(1);
        shelf.get("bob", "/download/model/2.0.0").await;
        shelf.jump(1);
    }
    shelf.get("ann", "/download/model/1.0.0").await;
    let history = shelf.get("bob", "/history/bob").await.json();
    assert_eq!(
        (&history["user_id"], &history["count"]),
        (&json!("bob"), &json!(4))
    );
    let entries = history["downloads"].as_array().unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|it| (word(it, "version"), word(it, "status")))
        .collect();
    let (blocked, allowed) = (
        ("2.0.0".to_owned(), "blocked".to_owned()),
        ("1.0.0".to_owned(), "allowed".to_owned()),
    );
    assert_eq!(told, [blocked.clone(), allowed.clone(), blocked, allowed]);
    let times: Vec<Timestamp> = entries
        .iter()
        .map(|it| word(it, "timestamp").parse().unwrap())
        .collect();
    assert!(times.is_sorted_by(|one, next| one > next), "{times:?}");
    assert!(
        entries
            .iter()
            .all(|it| it["pkg_name"] == "model" && !word(it, "reason").is_empty())
    );

    let page = shelf.get("bob", "/history/bob?limit=3").await.json();
    let cursor = word(&page, "next_cursor");
    let rest = shelf
        .get("bob", &format!("/history/bob?limit=3&cursor={cursor}"))
        .await
        .json();
    let pages: Vec<&Value> = [&page, &rest]
        .iter()
        .flat_map(|it| it["downloads"].as_array().unwrap())
        .collect();
    assert_eq!(pages, entries.iter().collect::<Vec<_>>());
    assert_eq!(rest["next_cursor"], Value::Null);
    assert_eq!(
        shelf.get("ann", "/history/bob").await.problem(403),
        "not_yours"
    );
    assert_eq!(shelf.get("reader", "/history/bob").await.status, 200);
    // A cursor is for the list it came from.
    let other = shelf
        .get("reader", &format!("/history/ann?cursor={cursor}"))
        .await;
    assert_eq!(other.problem(400), "invalid_cursor");
}

#[tokio::test]
async fn no_link_is_given_that_is_not_written_down() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let put = haulout_tests::call::Action {
        service: haulout_tests::call::Service::DynamoDb,
        name: "PutItem".to_owned(),
    };
    let refused =
        haulout_tests::faults::Trouble::Refused(haulout_tests::call::Refusal::ServerError);
    let fault = haulout_tests::faults::CallFault::new("packages", &put, refused);
    shelf.world.faults.arm(fault);
    let answer = shelf.get("bob", "/download/model/1.0.0").await;
    assert_eq!(answer.problem(503), "unavailable");
    shelf.world.faults.clear();
    assert_eq!(shelf.get("bob", "/history/bob").await.json()["count"], 0);
}

#[tokio::test]
async fn a_package_whose_archive_is_gone_is_not_given() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let key = shelf.s3().keys().remove(0);
    shelf.s3().remove(&key);
    let answer = shelf.get("bob", "/download/model/1.0.0").await;
    assert_eq!(answer.problem(403), "download_blocked");
    assert!(
        answer.detail().contains("not in the bucket"),
        "{}",
        answer.detail()
    );
    let seen = shelf.get("bob", "/packages/model/1.0.0").await.json();
    assert_eq!(seen["state"], "missing");
}

#[tokio::test]
async fn a_question_is_answered_as_a_download_would_be() {
    let shelf = Shelf::start().await;
    let mut secret = version("1.0.0");
    secret["is_sensitive"] = json!(true);
    secret["allowed_groups"] = json!(["research", "Group_106"]);
    secret["rule"] = json!("user.name != 'carol' || size(user.groups) == 1");
    shelf.published("ann", &secret).await;
    let ask = async |who: &str, more: Value| {
        let mut body = version("1.0.0");
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        shelf.post(who, "/validate", &body).await
    };
    for (who, more, allowed) in [
        ("ann", json!({}), true),
        ("carol", json!({}), true),
        ("bob", json!({}), false),
        ("bob", json!({"user_id": "BOB"}), false),
        // Nobody is in a group because he says so.
        ("bob", json!({"user_groups": ["research"]}), false),
        (TOKEN, json!({}), false),
        (TOKEN, json!({"user_groups": ["research"]}), true),
        (
            TOKEN,
            json!({"user_id": "somebody", "user_groups": ["Group_106"]}),
            true,
        ),
        (
            TOKEN,
            json!({"user_id": "somebody", "user_groups": []}),
            false,
        ),
        (TOKEN, json!({"user_id": "ann", "user_groups": []}), true),
    ] {
        let answer = ask(who, more.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        assert_eq!(json["allowed"], allowed, "{who} {more}: {json}");
        assert!(!word(&json, "reason").is_empty());
        assert_eq!(json["validation_result"]["package"], "model@1.0.0");
    }
    assert_eq!(
        ask("bob", json!({"user_id": "ann"})).await.problem(403),
        "not_yours"
    );
    assert_eq!(
        ask(TOKEN, json!({"user_id": "stranger"}))
            .await
            .problem(404),
        "unknown_user"
    );
    assert_eq!(
        ask(TOKEN, json!({"user_id": "not a user"}))
            .await
            .problem(400),
        "invalid_body"
    );
    assert_eq!(
        ask("ann", json!({"version": "2.0.0"})).await.problem(404),
        "unknown_package"
    );
    // A question is no download.
    assert_eq!(shelf.get("ann", "/history/ann").await.json()["count"], 0);
}
