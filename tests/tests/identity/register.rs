//! POST /register.

use haulout_tests::{dynamo::USERS, gateway::GatewayEvent, life::together};
use serde_json::{Value, json};

use super::support::{PASSWORD, Setup, Users, register};

fn body(body: &Value) -> GatewayEvent {
    GatewayEvent::post("/register", body.to_string())
}

#[tokio::test]
async fn anybody_registers_as_a_user_without_groups() {
    let users = Users::start().await;
    let answer = users.send(&register("Ann", PASSWORD)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let user = answer.json();
    assert_eq!(user["username"], "ann");
    assert_eq!(user["roles"], json!(["user"]));
    assert_eq!(
        (&user["groups"], &user["quota"]),
        (&json!([]), &Value::Null)
    );
    assert!(!answer.text().contains("argon2") && !answer.text().contains(PASSWORD));
    assert!(
        users.stored("ann")["password_hash"]["S"]
            .as_str()
            .unwrap()
            .starts_with("$argon2id$v=19$")
    );
}

#[tokio::test]
async fn what_a_stranger_says_of_roles_groups_and_quota_is_ignored() {
    let (users, admin) = Users::with_admin().await;
    users.registered("bob").await;
    let bob = users.token("bob", PASSWORD).await;
    let wanted = |name: &str| {
        body(&json!({
            "username": name, "password": PASSWORD, "roles": ["admin"], "groups": ["staff"], "quota": 99,
        }))
    };
    // With another one's token, and with words of an older system.
    for event in [
        wanted("ann"),
        wanted("ben").token(&bob),
        body(&json!({"username": "cid", "password": PASSWORD, "roles": "developer", "groups": 1})),
    ] {
        let answer = users.send(&event).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let user = answer.json();
        assert_eq!(user["roles"], json!(["user"]));
        assert_eq!(
            (&user["groups"], &user["quota"]),
            (&json!([]), &Value::Null)
        );
    }
    let user = users.send(&wanted("dan").token(&admin)).await.json();
    assert_eq!(user["roles"], json!(["admin"]));
    assert_eq!(
        (&user["groups"], &user["quota"]),
        (&json!(["staff"]), &json!(99))
    );
}

#[tokio::test]
async fn an_administrator_is_told_what_is_wrong_with_roles_and_groups() {
    let (users, admin) = Users::with_admin().await;
    for (field, value) in [
        ("roles", json!(["king"])),
        ("roles", json!("admin")),
        ("groups", json!(["a b"])),
        ("quota", json!(-1)),
    ] {
        let event = body(&json!({"username": "ann", "password": PASSWORD, field: value}));
        let answer = users.send(&event.token(&admin)).await;
        assert_eq!(answer.problem(400), "invalid_body");
        assert!(answer.detail().contains(field), "{}", answer.detail());
    }
    assert!(users.stored("ann").is_null());
}

#[tokio::test]
async fn names_and_passwords_that_nobody_may_have_are_refused() {
    let users = Users::start().await;
    for (name, password) in [
        (json!("#bootstrap"), json!(PASSWORD)),
        (json!("a/b"), json!(PASSWORD)),
        (json!(""), json!(PASSWORD)),
        (json!("a".repeat(65)), json!(PASSWORD)),
        (json!(7), json!(PASSWORD)),
        (json!("ann"), json!("s3cr3t!")),
        (json!("ann"), json!("s3cr3t!".repeat(20))),
        (json!("ann"), json!(31_415_926)),
        (json!("ann"), json!(null)),
    ] {
        let answer = users
            .send(&body(&json!({"username": name, "password": password})))
            .await;
        assert_eq!(answer.problem(400), "invalid_body", "{name} {password}");
        let detail = answer.detail();
        assert!(
            !detail.contains("s3cr3t") && !detail.contains("31415926"),
            "{detail}"
        );
    }
    let answer = users
        .send(&body(
            &json!({"username": "ann", "password": PASSWORD, "email": "a@b.c"}),
        ))
        .await;
    assert_eq!(answer.problem(400), "invalid_body");
    assert!(answer.detail().contains("email"), "{}", answer.detail());
    assert!(users.items(USERS).is_empty());
}

#[tokio::test]
async fn a_name_is_one_users_however_many_ask_for_it_at_once() {
    for seed in 1..=4 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let passwords: Vec<String> = (0..6)
            .map(|number| format!("{PASSWORD} {number}"))
            .collect();
        let events: Vec<_> = passwords.iter().map(|it| register("ann", it)).collect();
        let answers = together(events.iter().map(|event| users.send(event))).await;
        let winners: Vec<_> = (0..6).filter(|at| answers[*at].status == 201).collect();
        assert_eq!(winners.len(), 1, "seed {seed}");
        let losers = answers.iter().filter(|it| it.status == 409);
        assert!(
            losers
                .map(|it| it.problem(409))
                .all(|code| code == "username_taken")
        );
        for (at, password) in passwords.iter().enumerate() {
            let status = users.login("ann", password).await.status;
            assert_eq!(status == 200, at == winners[0], "seed {seed}");
        }
    }
}

#[tokio::test]
async fn where_registration_is_closed_only_an_administrator_registers() {
    let mut users = Users::start().await;
    users.registered("bob").await;
    let closed = Setup {
        self_registration: false,
        ..Setup::default()
    };
    users.restart(closed);
    let (admin, bob) = (
        users.token("root", PASSWORD).await,
        users.token("bob", PASSWORD).await,
    );
    let event = register("ann", PASSWORD);
    for refused in [event.clone(), event.clone().token(&bob)] {
        let answer = users.send(&refused).await;
        assert_eq!(answer.problem(403), "registration_closed");
    }
    // A token that is not good is no reason to be taken for a stranger.
    let answer = users.send(&event.clone().token("not-a-token")).await;
    assert_eq!(answer.problem(401), "invalid_token");
    assert_eq!(users.send(&event.token(&admin)).await.status, 201);
}

#[tokio::test]
async fn the_same_request_with_the_same_key_is_answered_the_same() {
    let (users, admin) = Users::with_admin().await;
    let event = register("ann", PASSWORD).header("idempotency-key", "k1");
    let first = users.send(&event).await;
    let again = users.send(&event).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.text());
    assert_eq!(first.json(), again.json());
    for other in [
        register("ann", "another password").header("idempotency-key", "k1"),
        register("ben", PASSWORD).header("idempotency-key", "k1"),
    ] {
        assert_eq!(
            users.send(&other).await.problem(409),
            "idempotency_key_reused"
        );
    }
    // Keys are their senders' own: this one is another's, and the name is taken.
    for other in [
        event.clone().from_address("198.51.100.7"),
        event.clone().token(&admin),
    ] {
        assert_eq!(users.send(&other).await.problem(409), "username_taken");
    }
    // Whoever guesses passwords with the key is counted; one did above.
    for _ in 0..11 {
        let guess = register("ann", "a wrong password").header("idempotency-key", "k1");
        assert_eq!(users.send(&guess).await.status, 409);
    }
    assert_eq!(users.login("ann", "a wrong password").await.status, 429);
    assert_eq!(users.send(&event).await.problem(429), "too_many_attempts");
    assert!(users.stored("ben").is_null());
}

#[tokio::test]
async fn a_key_does_not_bring_back_who_was_deleted() {
    let (users, admin) = Users::with_admin().await;
    let event = register("ann", PASSWORD).header("idempotency-key", "k1");
    assert_eq!(users.send(&event).await.status, 201);
    assert_eq!(users.delete("ann", &admin).await.status, 200);
    assert_eq!(
        users.send(&event).await.problem(409),
        "idempotency_key_reused"
    );
    users.jump(25 * 60 * 60);
    // The key is forgotten, the name is not.
    assert_eq!(users.send(&event).await.problem(409), "username_taken");
}
