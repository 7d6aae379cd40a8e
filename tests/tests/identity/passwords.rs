//! How passwords are changed: by their users, who show the present one, and by administrators.

use haulout_tests::{
    dynamo::AUDIT,
    gateway::{Answer, GatewayEvent},
    life::together,
};
use serde_json::{Value, json};

use super::support::{PASSWORD, Setup, Users, change_password, login, patch};

const NEW: &str = "battery staple";
const WRONG: &str = "a wrong password";

async fn with_ann(setup: Setup) -> (Users, String) {
    let users = Users::start_with(setup).await;
    users.registered("ann").await;
    let token = users.token("ann", PASSWORD).await;
    (users, token)
}

fn reset(username: &str, password: &str, admin: &str) -> GatewayEvent {
    patch(username, &json!({"password": password}), admin)
}

async fn me(users: &Users, token: &str) -> u16 {
    users.get("/me", token).await.status
}

#[tokio::test]
async fn who_changes_the_own_password_stays_and_the_other_sessions_end() {
    let (users, own) = with_ann(Setup::default()).await;
    let other = users.token("ann", PASSWORD).await;
    assert_eq!(me(&users, &other).await, 200);
    let answer = users.send(&change_password(PASSWORD, NEW, &own)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), users.get("/me", &own).await.json());
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &other).await.problem(401), "invalid_token");
    assert_eq!(me(&users, &own).await, 200);
    assert_eq!(users.login("ann", PASSWORD).await.status, 401);
    let later = users.token("ann", NEW).await;
    assert_eq!(me(&users, &later).await, 200);
    // The later one does the same, and now the first is one of the others.
    let answer = users.send(&change_password(NEW, PASSWORD, &later)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    users.let_sessions_be_forgotten();
    assert_eq!(me(&users, &own).await, 401);
    assert_eq!(me(&users, &later).await, 200);
    assert_eq!(users.login("ann", NEW).await.status, 401);
    users.token("ann", PASSWORD).await;
}

/// What a stranger sees of an answer.
fn seen(answer: &Answer) -> (u16, Value) {
    (answer.status, json!([answer.headers, answer.json()]))
}

#[tokio::test]
async fn a_wrong_password_is_answered_and_counted_as_at_a_login() {
    let (users, ann) = with_ann(Setup::default()).await;
    let before = users.stored("ann");
    let guess = change_password(WRONG, NEW, &ann);
    for _ in 0..6 {
        let here = users.send(&guess).await;
        assert_eq!(here.problem(401), "wrong_credentials");
        assert_eq!(seen(&here), seen(&users.login("ann", WRONG).await));
    }
    for event in [
        &guess,
        &change_password(PASSWORD, NEW, &ann),
        &login("ann", PASSWORD),
    ] {
        let answer = users.send(event).await;
        assert_eq!(answer.problem(429), "too_many_attempts");
        assert_eq!(answer.header("retry-after"), "30");
    }
    assert_eq!(users.stored("ann"), before);
    users.jump(30);
    let right = change_password(PASSWORD, NEW, &ann);
    assert_eq!(users.send(&right).await.status, 200);
    // A right one forgets the wrong ones.
    assert_eq!(users.login("ann", WRONG).await.status, 401);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_not_counted() {
    let (users, ann) = with_ann(Setup::default()).await;
    let before = users.stored("ann");
    for body in [
        json!({"password": PASSWORD, "new_password": "s3cr3t!"}),
        json!({"password": PASSWORD, "new_password": "s3cr3t!".repeat(20)}),
        json!({"password": PASSWORD, "new_password": null}),
        json!({"password": PASSWORD, "new_password": 31_415_926}),
        json!({"password": PASSWORD}),
        json!({"new_password": NEW}),
        json!({"password": PASSWORD, "new_password": NEW, "roles": ["admin"]}),
        json!({"password": PASSWORD, "new_password": NEW, "username": "root"}),
        json!([PASSWORD, NEW]),
    ] {
        let event = GatewayEvent::post("/me", body.to_string()).method("PATCH");
        let answer = users.send(&event.clone().token(&ann)).await;
        assert_eq!(answer.problem(400), "invalid_body", "{body}");
        let detail = answer.detail();
        assert!(
            !detail.contains("s3cr3t") && !detail.contains("31415926"),
            "{detail}"
        );
        assert_eq!(users.send(&event).await.problem(401), "missing_token");
    }
    assert_eq!(users.stored("ann"), before);
    let counts = users.items(haulout_tests::dynamo::TOKENS);
    let is_count = |item: &Value| item["id"]["S"].as_str().unwrap().starts_with("attempts#");
    assert!(!counts.iter().any(is_count));
}

#[tokio::test]
async fn a_session_that_ended_changes_nothing_though_the_door_knows_it_still() {
    let (users, ann) = with_ann(Setup::default()).await;
    assert_eq!(me(&users, &ann).await, 200);
    let logout = GatewayEvent::new("POST", "/logout").token(&ann);
    assert_eq!(users.send(&logout).await.status, 200);
    let answer = users.send(&change_password(PASSWORD, NEW, &ann)).await;
    assert_eq!(answer.problem(401), "invalid_token");
    users.token("ann", PASSWORD).await;
}

#[tokio::test]
async fn an_administrator_gives_another_password_and_all_sessions_end() {
    let (users, ann) = with_ann(Setup::default()).await;
    let admin = users.token("root", PASSWORD).await;
    let changed = change_password(PASSWORD, NEW, &ann);
    assert_eq!(users.send(&changed).await.status, 200);
    let change = json!({"password": "from the administrator", "groups": ["staff"]});
    let answer = users.patch("ann", &change, &admin).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["groups"], json!(["staff"]));
    let text = answer.text();
    assert!(
        !text.contains("argon2") && !text.contains("from the"),
        "{text}"
    );
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &ann).await.problem(401), "invalid_token");
    assert_eq!(users.login("ann", NEW).await.status, 401);
    let token = users.token("ann", "from the administrator").await;
    assert_eq!(me(&users, &token).await, 200);
    assert_eq!(me(&users, &admin).await, 200);
    // Anything else leaves sessions alone.
    let change = json!({"quota": 3, "password": null});
    assert_eq!(users.patch("ann", &change, &admin).await.status, 200);
    users.let_sessions_be_forgotten();
    assert_eq!(me(&users, &token).await, 200);
    let audit = json!(users.items(AUDIT)).to_string();
    assert!(!audit.contains("from the administrator") && !audit.contains(NEW));
}

#[tokio::test]
async fn nobody_gets_around_the_present_password() {
    let (users, ann) = with_ann(Setup::default()).await;
    let admin = users.token("root", PASSWORD).await;
    for (event, status, code) in [
        (reset("root", NEW, &admin), 409, "own_account"),
        (reset("ROOT", NEW, &admin), 409, "own_account"),
        (reset("ann", NEW, &ann), 403, "forbidden"),
        (reset("root", NEW, &ann), 403, "forbidden"),
        (reset("ann", "short", &admin), 400, "invalid_body"),
        (reset("ben", NEW, &admin), 404, "unknown_user"),
    ] {
        let before = (users.stored("root"), users.stored("ann"));
        let answer = users.send(&event).await;
        assert_eq!(answer.problem(status), code);
        assert_eq!((users.stored("root"), users.stored("ann")), before);
    }
    let answer = users.send(&reset("root", NEW, &admin)).await;
    assert!(answer.detail().contains("PATCH /me"), "{}", answer.detail());
    // Neither does an administrator's token on one's own account.
    users.token("root", PASSWORD).await;
}

#[tokio::test]
async fn the_first_administrators_secret_opens_nothing_after_the_change() {
    let (mut users, root) = Users::with_admin().await;
    let answer = users.send(&change_password(PASSWORD, NEW, &root)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for _ in 0..2 {
        assert_eq!(users.login("root", PASSWORD).await.status, 401);
        users.restart(Setup::default());
    }
    users.token("root", NEW).await;
}

#[tokio::test]
async fn of_changes_at_once_one_is_made_and_the_others_password_is_wrong() {
    for seed in 1..=8 {
        let (users, one) = with_ann(Setup::shuffled(seed)).await;
        let two = users.token("ann", PASSWORD).await;
        let events = [
            change_password(PASSWORD, "the first of two", &one),
            change_password(PASSWORD, "the second of two", &two),
            change_password(PASSWORD, "the third of two", &one),
        ];
        let answers = together(events.iter().map(|event| users.send(event))).await;
        let made: Vec<_> = answers.iter().filter(|it| it.status == 200).collect();
        assert_eq!(made.len(), 1, "seed {seed}");
        let refused = answers.iter().filter(|it| it.status != 200);
        for answer in refused {
            let code = answer.problem(401);
            let is_clear = ["wrong_credentials", "invalid_token"].contains(&code.as_str());
            assert!(is_clear, "seed {seed}: {code}");
        }
        let passwords = ["the first of two", "the second of two", "the third of two"];
        for (password, answer) in passwords.iter().zip(&answers) {
            let status = users.login("ann", password).await.status;
            assert_eq!(status, answer.status, "seed {seed}");
        }
        assert_eq!(users.login("ann", PASSWORD).await.status, 401);
    }
}

#[tokio::test]
async fn an_administrators_word_is_not_undone_with_the_password_before_it() {
    for seed in 1..=8 {
        let (users, ann) = with_ann(Setup::shuffled(seed)).await;
        let admin = users.token("root", PASSWORD).await;
        let events = [
            change_password(PASSWORD, NEW, &ann),
            reset("ann", "a third one", &admin),
        ];
        let answers = together(events.iter().map(|event| users.send(event))).await;
        assert_eq!(answers[1].status, 200, "seed {seed}");
        assert!(matches!(answers[0].status, 200 | 401), "seed {seed}");
        users.let_sessions_be_forgotten();
        assert_eq!(me(&users, &ann).await, 401, "seed {seed}");
        assert_eq!(users.login("ann", NEW).await.status, 401, "seed {seed}");
        users.token("ann", "a third one").await;
    }
}

#[tokio::test]
async fn a_login_while_the_password_changes_brings_nothing() {
    for seed in 1..=8 {
        let (users, own) = with_ann(Setup::shuffled(seed)).await;
        let change = change_password(PASSWORD, NEW, &own);
        let enter = login("ann", PASSWORD);
        let events = [&enter, &change, &enter, &enter];
        let answers = together(events.map(|event| users.send(event))).await;
        assert_eq!(answers[1].status, 200, "seed {seed}");
        users.let_sessions_be_forgotten();
        for answer in answers.iter().filter(|it| it.status == 200) {
            if let Some(token) = answer.json()["token"].as_str() {
                assert_eq!(me(&users, token).await, 401, "seed {seed}");
            }
        }
        assert_eq!(me(&users, &own).await, 200, "seed {seed}");
    }
}
