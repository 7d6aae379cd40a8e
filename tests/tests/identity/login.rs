//! POST /login, GET /me, POST /logout.

use haulout_tests::{
    dynamo::{AUDIT, TOKENS},
    gateway::GatewayEvent,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::support::{PASSWORD, Setup, Users, login};

#[tokio::test]
async fn a_token_says_who_one_is_until_it_ends() {
    let users = Users::start().await;
    users.registered("ann").await;
    let answer = users.login("ANN", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let token = body["token"].as_str().unwrap();
    let ends: Timestamp = body["expires_at"].as_str().unwrap().parse().unwrap();
    let lasts = ends.duration_since(users.world.clock.now());
    assert!(lasts > SignedDuration::from_secs(35_998) && lasts <= SignedDuration::from_hours(10));
    let me = users.get("/me", token).await;
    assert_eq!(
        me.json(),
        json!({"username": "ann", "roles": ["user"], "groups": [], "quota": null, "expires_at": body["expires_at"]})
    );
    users.jump(35_990);
    assert_eq!(users.get("/me", token).await.status, 200);
    users.jump(10);
    assert_eq!(users.get("/me", token).await.problem(401), "invalid_token");
}

#[tokio::test]
async fn a_token_tells_nothing_that_may_change() {
    let users = Users::start().await;
    users.registered("ann").await;
    let token = users.token("ann", PASSWORD).await;
    let session = &users.items(TOKENS)[0];
    for word in ["roles", "groups", "password", "argon2"] {
        assert!(!session.to_string().contains(word), "{session}");
    }
    assert!(!session.to_string().contains(&token));
}

#[tokio::test]
async fn whoever_logs_out_is_out_and_others_are_not() {
    let users = Users::start().await;
    users.registered("ann").await;
    let (one, two) = (
        users.token("ann", PASSWORD).await,
        users.token("ann", PASSWORD).await,
    );
    assert_ne!(one, two);
    let logout = GatewayEvent::new("POST", "/logout").token(&one);
    let answer = users.send(&logout).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["message"].is_string());
    users.let_sessions_be_forgotten();
    assert_eq!(users.get("/me", &one).await.problem(401), "invalid_token");
    assert_eq!(users.send(&logout).await.problem(401), "invalid_token");
    assert_eq!(users.get("/me", &two).await.status, 200);
}

#[tokio::test]
async fn me_and_logout_need_a_token() {
    let users = Users::start().await;
    for event in [
        GatewayEvent::get("/me"),
        GatewayEvent::new("POST", "/logout"),
    ] {
        assert_eq!(users.send(&event).await.problem(401), "missing_token");
    }
}

/// Everything that a stranger sees, and everything that it makes the function do.
async fn trace(users: &Users, username: &str, password: &str) -> (u16, Value, Vec<String>) {
    let before = users.world.faults.log().len();
    let answer = users.login(username, password).await;
    let log = users.world.faults.log();
    let calls = log[before..].iter().map(|call| call.action.to_string());
    (
        answer.status,
        json!([answer.headers, answer.json()]),
        calls.collect(),
    )
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    for with_first_admin in [false, true] {
        let users = Users::start().await;
        users.registered("ann").await;
        if with_first_admin {
            users.token("root", PASSWORD).await;
        }
        let wrong = trace(&users, "ann", "a wrong password").await;
        let unknown = trace(&users, "ben", PASSWORD).await;
        assert_eq!(wrong, unknown);
        assert_eq!(wrong.0, 401);
        assert_eq!(wrong.1[1]["code"], "wrong_credentials");
    }
}

#[tokio::test]
async fn an_unknown_users_password_is_hashed_as_well() {
    // So dear that its absence would show.
    let dear = Setup {
        memory_kib: 32 * 1024,
        ..Setup::default()
    };
    let users = Users::start_with(dear).await;
    users.registered("ann").await;
    let mut shortest = [std::time::Duration::MAX; 2];
    // What else the computer does makes some of them longer, and none shorter.
    for _ in 0..4 {
        for (username, shortest) in ["ann", "ben"].into_iter().zip(&mut shortest) {
            let began = std::time::Instant::now();
            assert_eq!(users.login(username, "a wrong password").await.status, 401);
            *shortest = began.elapsed().min(*shortest);
        }
    }
    assert!(shortest[1] * 3 > shortest[0], "{shortest:?}");
}

#[tokio::test]
async fn a_login_that_makes_no_sense_is_refused_without_a_word_of_the_password() {
    let users = Users::start().await;
    for body in [
        json!({"username": "a b", "password": "s3cr3t-s3cr3t"}),
        json!({"username": "ann"}),
        json!({"username": "ann", "password": 31_415_926}),
        json!({"username": "ann", "password": ["s3cr3t"]}),
        json!({"username": "ann", "password": "s3cr3t-s3cr3t", "code": 1}),
    ] {
        let event = GatewayEvent::post("/login", body.to_string());
        let answer = users.send(&event).await;
        assert_eq!(answer.problem(400), "invalid_body", "{body}");
        let detail = answer.detail();
        assert!(
            !detail.contains("s3cr3t") && !detail.contains("31415926"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_password_that_was_hashed_in_another_way_is_hashed_anew() {
    let mut users = Users::start().await;
    users.registered("ann").await;
    let before = users.stored("ann");
    users.token("ann", PASSWORD).await;
    assert_eq!(users.stored("ann"), before, "nothing to do");
    users.restart(Setup {
        memory_kib: 16,
        ..Setup::default()
    });
    assert_eq!(users.login("ann", "a wrong password").await.status, 401);
    assert_eq!(users.stored("ann"), before, "only the right one is known");
    let token = users.token("ann", PASSWORD).await;
    let after = users.stored("ann");
    let hash = after["password_hash"]["S"].as_str().unwrap();
    assert!(hash.contains("m=16,"), "{hash}");
    assert_eq!(
        (&after["id"], &after["roles"]),
        (&before["id"], &before["roles"])
    );
    assert_eq!(users.get("/me", &token).await.status, 200);
    users.token("ann", PASSWORD).await;
    assert_eq!(users.stored("ann"), after);
}

#[tokio::test]
async fn registrations_and_logins_are_written_down() {
    let users = Users::start().await;
    users.registered("ann").await;
    users.login("ann", "a wrong password").await;
    let event = login("ann", PASSWORD).from_address("198.51.100.7");
    assert_eq!(users.send(&event).await.status, 200);
    let mut entries = users.items(AUDIT);
    entries.sort_by_key(|entry| entry["at_id"]["S"].to_string());
    let told: Vec<_> = entries
        .iter()
        .map(|it| {
            let text = |name: &str| it[name]["S"].as_str().unwrap().to_owned();
            let status = it["status"]["N"].as_str().unwrap().to_owned();
            (text("who"), text("path"), status, text("address"))
        })
        .collect();
    let entry = |path: &str, status: &str, address: &str| {
        (
            "ann".to_owned(),
            path.to_owned(),
            status.to_owned(),
            address.to_owned(),
        )
    };
    assert_eq!(
        told,
        [
            entry("/register", "201", "192.0.2.1"),
            entry("/login", "401", "192.0.2.1"),
            entry("/login", "200", "198.51.100.7"),
        ]
    );
    assert!(!json!(entries).to_string().contains(PASSWORD));
    assert_eq!(entries[0]["day"]["S"].as_str().unwrap().len(), 10);
}
