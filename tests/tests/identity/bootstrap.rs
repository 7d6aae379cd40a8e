//! The first administrator.

use haulout_tests::{dynamo::USERS, life::together};
use serde_json::json;

use super::support::{FIRST_ADMIN, PASSWORD, Setup, Users, login, register};

#[tokio::test]
async fn the_secrets_name_and_password_make_an_administrator() {
    let (users, token) = Users::with_admin().await;
    let me = users.get("/me", &token).await.json();
    assert_eq!(
        (&me["username"], &me["roles"]),
        (&json!("root"), &json!(["admin"]))
    );
    assert_eq!(users.get("/users", &token).await.status, 200);
}

#[tokio::test]
async fn anything_else_does_not() {
    let users = Users::start().await;
    for (name, password) in [
        ("root", "another password"),
        ("boot", PASSWORD),
        ("root", ""),
    ] {
        assert_eq!(
            users.login(name, password).await.problem(401),
            "wrong_credentials"
        );
    }
    assert!(users.items(USERS).is_empty());
}

#[tokio::test]
async fn it_works_once_ever() {
    let (mut users, admin) = Users::with_admin().await;
    let second = json!({"username": "second", "password": PASSWORD});
    let boss = json!({
        "username": "boss", "password": PASSWORD, "roles": ["admin"],
    });
    let event = haulout_tests::gateway::GatewayEvent::post("/register", boss.to_string());
    assert_eq!(users.send(&event.token(&admin)).await.status, 201);
    let boss = users.token("boss", PASSWORD).await;
    assert_eq!(users.delete("root", &boss).await.status, 200);
    for _ in 0..2 {
        // The old one again, then one that was put in its place; with what is remembered, and without.
        assert_eq!(users.login("root", PASSWORD).await.status, 401);
        users.vault.put(FIRST_ADMIN, &second.to_string());
        assert_eq!(users.login("second", PASSWORD).await.status, 401);
        users.restart(Setup::default());
    }
    assert!(users.stored("root")["roles"].is_null() && users.stored("second").is_null());
    // Then the name is like that of anybody who was deleted.
    let root = register("root", PASSWORD);
    assert_eq!(users.send(&root).await.problem(409), "username_taken");
    assert_eq!(users.send(&root.token(&boss)).await.status, 201);
    assert_eq!(users.stored("root")["roles"], json!({"L": [{"S": "user"}]}));
}

#[tokio::test]
async fn it_works_once_at_once() {
    for seed in 1..=8 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let (right, wrong) = (login("root", PASSWORD), login("root", "a wrong password"));
        let events = [&right, &wrong, &right, &right, &wrong, &right];
        let answers = together(events.map(|event| users.send(event))).await;
        for (event, answer) in events.into_iter().zip(&answers) {
            let expected = if std::ptr::eq(event, &raw const right) {
                200
            } else {
                401
            };
            assert_eq!(answer.status, expected, "seed {seed}: {}", answer.text());
        }
        let admins = users.items(USERS);
        let with_id = admins.iter().filter(|it| it["id"].is_object());
        assert_eq!(with_id.count(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn nobody_takes_the_name_before() {
    let users = Users::start().await;
    let answer = users.send(&register("Root", PASSWORD)).await;
    assert_eq!(answer.problem(409), "username_taken");
    users.token("root", PASSWORD).await;
    assert_eq!(
        users.stored("root")["roles"],
        json!({"L": [{"S": "admin"}]})
    );
}

#[tokio::test]
async fn nobody_else_waits_for_the_secret() {
    let (mut users, _) = Users::with_admin().await;
    users.registered("ann").await;
    users.restart(Setup::default());
    let asked = || users.vault.calls("GetSecretValue", FIRST_ADMIN);
    let before = asked();
    users.token("ann", PASSWORD).await;
    users.login("ben", PASSWORD).await;
    assert_eq!(asked(), before, "there was a first administrator");
}

#[tokio::test]
async fn a_secret_that_makes_no_sense_makes_nobody_and_keeps_nobody_out() {
    let users = Users::start().await;
    users.registered("ann").await;
    for text in [
        "",
        "{}",
        "root",
        r#"{"username": "root", "password": "short"}"#,
    ] {
        users.vault.put(FIRST_ADMIN, text);
        assert_eq!(users.login("root", PASSWORD).await.problem(500), "internal");
        assert_eq!(users.login("root", "short").await.problem(500), "internal");
        users.token("ann", PASSWORD).await;
    }
    assert!(users.stored("root").is_null());
}
