//! What administrators do with users.

use haulout_tests::{dynamo::USERS, gateway::GatewayEvent, life::together};
use serde_json::{Value, json};

use super::support::{PASSWORD, Setup, Users, delete, patch, register};

/// Registers an administrator, and answers its token.
async fn another_admin(users: &Users, name: &str, admin: &str) -> String {
    let body = json!({"username": name, "password": PASSWORD, "roles": ["admin"]});
    let event = GatewayEvent::post("/register", body.to_string()).token(admin);
    assert_eq!(users.send(&event).await.status, 201);
    users.token(name, PASSWORD).await
}

#[tokio::test]
async fn users_are_listed_by_name_in_pages() {
    let (users, admin) = Users::with_admin().await;
    for name in ["dan", "ann", "cid", "ben"] {
        users.registered(name).await;
    }
    let mut names: Vec<String> = Vec::new();
    let mut path = "/users?limit=2".to_owned();
    for _ in 0..4 {
        let answer = users.get(&path, &admin).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("argon2"));
        let page = answer.json();
        let listed = page["users"].as_array().unwrap();
        assert!(listed.len() <= 2);
        names.extend(
            listed
                .iter()
                .map(|it| it["username"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/users?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["ann", "ben", "cid", "dan", "root"]);
    for (query, code) in [
        ("limit=0", "invalid_query"),
        ("page=1", "invalid_query"),
        ("cursor=x", "invalid_cursor"),
    ] {
        let answer = users.get(&format!("/users?{query}"), &admin).await;
        assert_eq!(answer.problem(400), code);
    }
}

#[tokio::test]
async fn a_change_holds_for_the_tokens_there_are() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    let ann = users.token("ann", PASSWORD).await;
    let change = json!({"roles": ["user", "operator"], "groups": ["staff"], "quota": 5});
    let answer = users.patch("Ann", &change, &admin).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for field in ["roles", "groups", "quota"] {
        assert_eq!(answer.json()[field], change[field]);
    }
    users.let_sessions_be_forgotten();
    let me = users.get("/me", &ann).await.json();
    assert_eq!(
        (&me["groups"], &me["quota"]),
        (&json!(["staff"]), &json!(5))
    );
    // What is left out, or null, stays; but for the quota, which null takes away.
    let answer = users
        .patch("ann", &json!({"roles": null, "quota": null}), &admin)
        .await
        .json();
    assert_eq!(
        (&answer["groups"], &answer["quota"]),
        (&json!(["staff"]), &Value::Null)
    );
    assert_eq!(answer["roles"].as_array().unwrap().len(), 2);
    let before = users.stored("ann");
    assert_eq!(users.patch("ann", &json!({}), &admin).await.status, 200);
    assert_eq!(
        users.stored("ann"),
        before,
        "nothing is written for nothing"
    );
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    for change in [
        json!({"roles": ["king"]}),
        json!({"groups": ["a b"]}),
        json!({"quota": "many"}),
        json!({"password": "short"}),
        json!({"password_hash": "$argon2id$"}),
        json!([]),
    ] {
        assert_eq!(
            users.patch("ann", &change, &admin).await.problem(400),
            "invalid_body"
        );
    }
    assert_eq!(
        users.patch("a b", &json!({}), &admin).await.problem(400),
        "invalid_path"
    );
    assert_eq!(
        users.patch("ben", &json!({}), &admin).await.problem(404),
        "unknown_user"
    );
    assert_eq!(
        users.delete("ben", &admin).await.problem(404),
        "unknown_user"
    );
    // What is kept beside the users is none.
    for name in ["#bootstrap", "%23bootstrap"] {
        assert_eq!(
            users.delete(name, &admin).await.problem(400),
            "invalid_path"
        );
    }
}

#[tokio::test]
async fn only_administrators_do_any_of_it() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    let change = json!({"roles": ["reader", "user", "operator"]});
    assert_eq!(users.patch("ann", &change, &admin).await.status, 200);
    let ann = users.token("ann", PASSWORD).await;
    for event in [
        GatewayEvent::get("/users").token(&ann),
        patch("ann", &json!({"roles": ["admin"]}), &ann),
        delete("root", &ann),
    ] {
        assert_eq!(users.send(&event).await.problem(403), "forbidden");
    }
    assert_eq!(users.stored("root")["username"]["S"], "root");
}

#[tokio::test]
async fn nobody_deletes_or_demotes_oneself() {
    let (users, admin) = Users::with_admin().await;
    assert_eq!(
        users.delete("ROOT", &admin).await.problem(409),
        "own_account"
    );
    for roles in [json!([]), json!(["operator", "user"])] {
        let answer = users.patch("root", &json!({"roles": roles}), &admin).await;
        assert_eq!(answer.problem(409), "own_account");
    }
    let answer = users
        .patch(
            "root",
            &json!({"roles": ["admin", "user"], "groups": ["staff"]}),
            &admin,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn administrators_that_demote_each_other_at_once_leave_one() {
    for seed in 1..=8 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let root = users.token("root", PASSWORD).await;
        let boss = another_admin(&users, "boss", &root).await;
        // The door knows both for a while, and lets them in.
        for token in [&root, &boss] {
            assert_eq!(users.get("/me", token).await.status, 200);
        }
        let demote = json!({"roles": ["user"]});
        let answers = if seed % 2 == 0 {
            let events = [patch("boss", &demote, &root), patch("root", &demote, &boss)];
            together(events.iter().map(|event| users.send(event))).await
        } else {
            let events = [delete("boss", &root), delete("root", &boss)];
            together(events.iter().map(|event| users.send(event))).await
        };
        let mut statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403], "seed {seed}");
        let left = users.items(USERS);
        let admins = left
            .iter()
            .filter(|it| it["roles"].to_string().contains("admin"));
        assert_eq!(admins.count(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn changes_at_once_are_all_made() {
    for seed in 1..=4 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let admin = users.token("root", PASSWORD).await;
        users.registered("ann").await;
        let events = [
            patch("ann", &json!({"groups": ["staff"]}), &admin),
            patch("ann", &json!({"quota": 7}), &admin),
            patch("ann", &json!({"roles": ["reader"]}), &admin),
        ];
        let answers = together(events.iter().map(|event| users.send(event))).await;
        assert!(answers.iter().all(|it| it.status == 200), "seed {seed}");
        let ann = users.stored("ann");
        assert_eq!(ann["version"]["N"], "4");
        assert_eq!(ann["quota"]["N"], "7");
        assert!(ann["groups"].to_string().contains("staff"));
        assert!(ann["roles"].to_string().contains("reader"));
    }
}

#[tokio::test]
async fn a_deleted_users_tokens_are_dead_and_another_of_the_name_does_not_wake_them() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    let old = users.token("ann", PASSWORD).await;
    assert_eq!(users.get("/me", &old).await.status, 200);
    let answer = users.delete("ann", &admin).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["username"], "ann");
    assert_eq!(users.login("ann", PASSWORD).await.status, 401);
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
    let again = register("ann", PASSWORD).token(&admin);
    assert_eq!(users.send(&again).await.status, 201);
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
    let new = users.token("ann", PASSWORD).await;
    assert_eq!(users.get("/me", &new).await.status, 200);
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
}

#[tokio::test]
async fn who_is_registered_again_at_once_is_not_recognised_by_what_is_remembered() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    let old = users.token("ann", PASSWORD).await;
    assert_eq!(users.delete("ann", &admin).await.status, 200);
    let again = register("ann", "another password").token(&admin);
    assert_eq!(users.send(&again).await.status, 201);
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &old).await.status, 401);
}
