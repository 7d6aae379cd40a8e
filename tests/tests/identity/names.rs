//! Names of users who were deleted: what they made is under them still, and nobody takes it over by registering.

use haulout_tests::{
    dynamo::USERS, faults::Trouble, gateway::Answer, gateway::GatewayEvent, life::together,
};
use serde_json::{Value, json};

use super::support::{PASSWORD, Setup, Users, delete, patch, register};

const OTHER: &str = "another password";

/// A deployment in which there was an ann, and the administrator's token.
async fn without_ann() -> (Users, String) {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    assert_eq!(users.delete("ann", &admin).await.status, 200);
    (users, admin)
}

/// Nobody of this name is there.
fn is_gone(users: &Users, name: &str) -> bool {
    users.stored(name)["password_hash"].is_null()
}

async fn listed(users: &Users, admin: &str) -> Vec<String> {
    let page = users.get("/users", admin).await.json();
    let names = page["users"].as_array().unwrap().iter();
    names
        .map(|it| it["username"].as_str().unwrap().to_owned())
        .collect()
}

/// Everything that whoever sent a request sees, and everything that it made the function do, but for the name.
async fn trace(users: &Users, event: &GatewayEvent, name: &str) -> (u16, String, Vec<String>) {
    let before = users.world.faults.log().len();
    let answer: Answer = users.send(event).await;
    let log = users.world.faults.log();
    let calls = log[before..].iter().map(|call| call.action.to_string());
    let seen = format!("{:?} {}", answer.headers, answer.text());
    (answer.status, seen.replace(name, "…"), calls.collect())
}

#[tokio::test]
async fn nobody_registers_a_deleted_users_name() {
    let (users, _) = without_ann().await;
    users.registered("bob").await;
    let bob = users.token("bob", PASSWORD).await;
    for event in [
        register("ann", OTHER),
        register("ANN", PASSWORD),
        register("ann", OTHER).token(&bob),
        register("ann", OTHER).header("idempotency-key", "k1"),
    ] {
        let answer = users.send(&event).await;
        assert_eq!(answer.problem(409), "username_taken");
        assert!(is_gone(&users, "ann"));
    }
    assert_eq!(users.login("ann", OTHER).await.status, 401);
}

#[tokio::test]
async fn a_stranger_does_not_see_that_there_was_a_user() {
    let (users, _) = without_ann().await;
    users.registered("bob").await;
    for key in [None, Some("k1")] {
        let event = |name: &str| {
            let event = register(name, OTHER);
            key.iter().fold(event, |event, key| {
                event.header("idempotency-key", &format!("{key}-{name}"))
            })
        };
        let deleted = trace(&users, &event("ann"), "ann").await;
        let taken = trace(&users, &event("bob"), "bob").await;
        assert_eq!(deleted, taken);
    }
    let login = |name: &str| super::support::login(name, PASSWORD);
    let deleted = trace(&users, &login("ann"), "ann").await;
    let unknown = trace(&users, &login("eve"), "eve").await;
    assert_eq!(deleted, unknown);
}

#[tokio::test]
async fn who_was_deleted_is_no_user() {
    let (users, admin) = without_ann().await;
    assert_eq!(listed(&users, &admin).await, ["root"]);
    let change = json!({"groups": ["staff"]});
    for event in [patch("ann", &change, &admin), delete("ann", &admin)] {
        assert_eq!(users.send(&event).await.problem(404), "unknown_user");
    }
    assert!(is_gone(&users, "ann"));
    // Nothing is kept but that there was somebody.
    let left = users.stored("ann").to_string();
    for word in ["argon2", "roles", "groups", "quota"] {
        assert!(!left.contains(word), "{left}");
    }
}

#[tokio::test]
async fn an_administrator_gives_the_name_again() {
    let (users, admin) = Users::with_admin().await;
    users.registered("ann").await;
    let old = users.token("ann", PASSWORD).await;
    let answer = users.delete("ann", &admin).await.json();
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("POST /register"), "{message}");
    let body = json!({"username": "ann", "password": OTHER, "groups": ["staff"]});
    let event = GatewayEvent::post("/register", body.to_string())
        .token(&admin)
        .header("idempotency-key", "k1");
    let first = users.send(&event).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(users.send(&event).await.json(), first.json());
    let again = register("ann", PASSWORD).token(&admin);
    assert_eq!(users.send(&again).await.problem(409), "username_taken");
    assert_eq!(listed(&users, &admin).await, ["ann", "root"]);
    let new = users.token("ann", OTHER).await;
    users.let_sessions_be_forgotten();
    let me = users.get("/me", &new).await.json();
    assert_eq!(me["groups"], json!(["staff"]));
    assert_eq!(users.get("/me", &old).await.problem(401), "invalid_token");
    assert_eq!(users.login("ann", PASSWORD).await.status, 401);
    // And is gone as anybody is, when deleted again.
    assert_eq!(users.delete("ann", &admin).await.status, 200);
    let event = register("ann", PASSWORD);
    assert_eq!(users.send(&event).await.problem(409), "username_taken");
}

#[tokio::test]
async fn who_registers_while_the_user_is_deleted_is_too_late() {
    for seed in 1..=8 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let admin = users.token("root", PASSWORD).await;
        users.registered("ann").await;
        let plain = register("ann", OTHER);
        let with_key = plain.clone().header("idempotency-key", "k1");
        let end = delete("ann", &admin);
        let events = [&plain, &end, &with_key, &end, &plain];
        let answers = together(events.map(|event| users.send(event))).await;
        for (event, answer) in events.iter().zip(&answers) {
            if std::ptr::eq(*event, &raw const end) {
                assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
            } else {
                assert_eq!(answer.problem(409), "username_taken", "seed {seed}");
            }
        }
        assert!(is_gone(&users, "ann"), "seed {seed}");
        assert_eq!(users.send(&plain).await.status, 409, "seed {seed}");
    }
}

#[tokio::test]
async fn one_administrator_gives_the_name_again_while_others_register_and_delete() {
    for seed in 1..=8 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let admin = users.token("root", PASSWORD).await;
        users.registered("ann").await;
        let given = register("ann", OTHER).token(&admin);
        let events = [delete("ann", &admin), given.clone(), given];
        let answers = together(events.iter().map(|event| users.send(event))).await;
        assert_eq!(answers[0].status, 200, "seed {seed}");
        let made = answers[1..].iter().filter(|it| it.status == 201).count();
        assert!(made <= 1, "seed {seed}");
        let users_there: Vec<Value> = users.items(USERS);
        let anns = users_there.iter().filter(|it| it["username"]["S"] == "ann");
        assert_eq!(anns.count(), 1, "seed {seed}");
        let opens = users.login("ann", OTHER).await.status == 200;
        assert_eq!(opens, made == 1, "seed {seed}");
        assert_eq!(users.login("ann", PASSWORD).await.status, 401);
    }
}

#[tokio::test]
async fn a_name_is_given_again_though_answers_are_lost() {
    for key in [None, Some("k1")] {
        for skip in 0..6 {
            let (users, admin) = without_ann().await;
            let event = register("ann", OTHER).token(&admin);
            let event = key
                .iter()
                .fold(event, |event, key| event.header("idempotency-key", key));
            users.trouble(Trouble::Lost, skip, 1);
            let answer = users.send(&event).await;
            assert_eq!(answer.status, 201, "call {skip}: {}", answer.text());
            users.token("ann", OTHER).await;
        }
    }
}
