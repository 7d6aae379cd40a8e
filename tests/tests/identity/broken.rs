//! The function is killed after each of its calls, and each call's answer is lost: whoever sends the request again gets
//! what was meant.

use haulout_tests::{
    call::Refusal,
    dynamo::USERS,
    faults::Trouble,
    gateway::{Answer, GatewayEvent},
};
use serde_json::json;

use super::support::{PASSWORD, Users, change_password, delete, login, patch, register};

/// Kinds of requests.
const KINDS: usize = 8;
/// More calls than any request makes.
const CALLS: u32 = 14;

fn registration() -> GatewayEvent {
    register("ann", PASSWORD).header("idempotency-key", "k1")
}

/// How many users there are; the marker of the first administrator is none.
fn users_of(users: &Users) -> usize {
    let items = users.items(USERS);
    items.iter().filter(|it| it["id"].is_object()).count()
}

/// Sends a request whose function is killed after so many calls, then again; nothing if it has fewer.
async fn killed(users: &Users, event: &GatewayEvent, after_calls: u32) -> Option<Answer> {
    users.doom(after_calls);
    if users.try_to_send(event).await.is_some() {
        return None;
    }
    Some(users.send(event).await)
}

#[tokio::test]
async fn a_registration_that_was_killed_is_sent_again() {
    let mut was_killed = 0;
    for after_calls in 0..CALLS {
        let (users, _) = Users::with_admin().await;
        let Some(answer) = killed(&users, &registration(), after_calls).await else {
            break;
        };
        was_killed += 1;
        assert_eq!(answer.status, 201, "after {after_calls}: {}", answer.text());
        assert_eq!(users_of(&users), 2);
        users.token("ann", PASSWORD).await;
    }
    assert!(was_killed >= 2, "the write, and the entry of the audit");
}

#[tokio::test]
async fn without_a_key_the_name_may_be_taken_by_then_but_the_password_is_right() {
    for after_calls in 0..2 {
        let (users, _) = Users::with_admin().await;
        let event = register("ann", PASSWORD);
        let answer = killed(&users, &event, after_calls).await.unwrap();
        assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
        assert_eq!(users_of(&users), 2);
        users.token("ann", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_first_login_that_was_killed_is_sent_again() {
    let mut was_killed = 0;
    for after_calls in 0..CALLS {
        let users = Users::start().await;
        let Some(answer) = killed(&users, &login("root", PASSWORD), after_calls).await else {
            break;
        };
        was_killed += 1;
        assert_eq!(answer.status, 200, "after {after_calls}: {}", answer.text());
        assert_eq!(users_of(&users), 1);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let me = users.get("/me", &token).await.json();
        assert_eq!(me["roles"], json!(["admin"]));
    }
    assert!(was_killed >= 6, "{was_killed}");
}

/// Every kind of request that changes something, in a deployment with an administrator, and what its answer is.
fn kinds(admin: &str) -> [(GatewayEvent, u16); KINDS] {
    [
        (registration(), 201),
        (register("cid", PASSWORD), 201),
        (login("ben", PASSWORD), 200),
        (patch("ben", &json!({"groups": ["staff"]}), admin), 200),
        (delete("ben", admin), 200),
        (GatewayEvent::new("POST", "/logout").token(admin), 200),
        (
            patch("ben", &json!({"password": "another one"}), admin),
            200,
        ),
        (change_password(PASSWORD, "another one", admin), 200),
    ]
}

#[tokio::test]
async fn an_answer_of_aws_that_is_lost_is_asked_for_again() {
    for kind in 0..KINDS {
        for skip in 0..CALLS {
            let (users, admin) = Users::with_admin().await;
            users.registered("ben").await;
            let (event, status) = &kinds(&admin)[kind];
            users.trouble(Trouble::Lost, skip, 1);
            let answer = users.send(event).await;
            assert_eq!(
                answer.status,
                *status,
                "kind {kind}, call {skip}: {}",
                answer.text()
            );
            if users.world.faults.struck() == 0 {
                assert!(skip >= 1, "kind {kind} makes no call");
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_first_login_survives_any_lost_answer() {
    for skip in 0..CALLS {
        let users = Users::start().await;
        users.trouble(Trouble::Lost, skip, 1);
        let answer = users.login("root", PASSWORD).await;
        assert_eq!(answer.status, 200, "call {skip}: {}", answer.text());
        assert_eq!(users_of(&users), 1);
    }
}

#[tokio::test]
async fn while_aws_is_away_the_answer_is_to_come_back_and_then_it_works() {
    for trouble in [
        Trouble::Lost,
        Trouble::Refused(Refusal::ServerError),
        Trouble::Refused(Refusal::Throttled),
    ] {
        for kind in 0..KINDS {
            for skip in 0..CALLS {
                let (users, admin) = Users::with_admin().await;
                users.registered("ben").await;
                let (event, status) = &kinds(&admin)[kind];
                // As often as the SDK tries.
                users.trouble(trouble, skip, 3);
                let answer = users.send(event).await;
                if users.world.faults.struck() == 0 {
                    break;
                }
                users.world.faults.clear();
                let place = format!("{trouble:?}, kind {kind}, call {skip}: {}", answer.text());
                if answer.status == 503 {
                    assert!(!answer.header("retry-after").is_empty(), "{place}");
                    // What was done without an answer is done: the second time there may be nothing left to do.
                    let again = users.send(event).await.status;
                    let done_before = match kind {
                        1 => 409,
                        4 => 404,
                        5 | 7 => 401,
                        _ => *status,
                    };
                    assert!(
                        again == *status || again == done_before,
                        "{again} after {place}"
                    );
                } else {
                    // The entry of the audit holds up nobody.
                    assert_eq!(answer.status, *status, "{place}");
                }
            }
        }
    }
}
