//! What is written down of who changed what.

use haulout_domain::access::Role;
use haulout_tests::{
    call::Refusal,
    dynamo::AUDIT,
    faults::Trouble,
    gateway::{GatewayEvent, REQUEST_ID},
};
use serde_json::{Value, json};

use super::support::House;

/// All entries so far, oldest first: who, method, path and status.
pub(super) fn entries(house: &House) -> Vec<(String, String, String, u64)> {
    let items = items(house).into_iter().map(|item| {
        let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
        let status = item["status"]["N"].as_str().unwrap().parse().unwrap();
        (text("who"), text("method"), text("path"), status)
    });
    items.collect()
}

fn items(house: &House) -> Vec<Value> {
    let request = json!({"TableName": AUDIT}).to_string();
    let (status, answer) = house.world.dynamo.call("Scan", request.as_bytes());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let mut items = answer["Items"].as_array().unwrap().clone();
    items.sort_by_key(|item| item["at_id"]["S"].as_str().unwrap().to_owned());
    items
}

#[tokio::test]
async fn what_may_change_something_is_written_down_with_who_did_it() {
    let house = House::start().await;
    let user = house.log_in("ann", &[Role::User]).await;
    let reader = house.log_in("rex", &[Role::Reader]).await;
    let send = async |method: &str, path: &str, token: &str| {
        house
            .send(GatewayEvent::new(method, path).token(token))
            .await
    };
    // Reading, and what nobody known did, is not.
    send("GET", "/instances", &user).await;
    send("GET", "/me", &user).await;
    send("OPTIONS", "/instances", &user).await;
    send("POST", "/instances", "x").await;
    house.send(GatewayEvent::new("POST", "/instances")).await;
    send("GET", "/health", &user).await;
    send("POST", "/nowhere/at/all", &user).await;
    assert_eq!(entries(&house), []);
    for (method, path, token, who, status) in [
        ("POST", "/instances?x=secret", &user, "ann", 204),
        ("DELETE", "/instances/m-1", &user, "ann", 204),
        ("PUT", "/projects/p/machine", &user, "ann", 204),
        ("PATCH", "/users/bob", &user, "ann", 403),
        ("POST", "/instances", &reader, "rex", 403),
        // The old way to claim.
        ("GET", "/my-project", &user, "ann", 204),
        ("HEAD", "/my-project", &user, "ann", 204),
    ] {
        let before = entries(&house).len();
        send(method, path, token).await;
        let all = entries(&house);
        assert_eq!(all.len(), before + 1, "{method} {path}");
        let path = path.split('?').next().unwrap();
        let expected = (who.to_owned(), method.to_owned(), path.to_owned(), status);
        assert_eq!(all.last(), Some(&expected));
    }
}

#[tokio::test]
async fn an_entry_says_when_and_from_where_and_goes_after_its_time() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::User]).await;
    let event = GatewayEvent::new("POST", "/instances")
        .token(&token)
        .header("x-forwarded-for", "203.0.113.66");
    house.send(event).await;
    let [entry] = &items(&house)[..] else {
        unreachable!("one entry");
    };
    let now = house.now();
    assert_eq!(entry["address"]["S"], "192.0.2.1");
    assert_eq!(entry["request_id"]["S"], REQUEST_ID);
    assert_eq!(entry["at"]["S"], now.to_string());
    assert_eq!(entry["day"]["S"], now.to_string()[..10]);
    let purge_at = now.as_second() + 400 * 86_400;
    assert_eq!(entry["purge_at"]["N"], purge_at.to_string());
}

#[tokio::test]
async fn register_and_login_are_written_down_before_anybody_is_known() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::Admin]).await;
    for (path, token, who, status) in [
        ("/login", None, "unknown", 204),
        ("/register", None, "unknown", 204),
        ("/register", Some(&*token), "ann", 204),
        ("/register", Some("x"), "unknown", 401),
    ] {
        let before = entries(&house).len();
        let event = GatewayEvent::post(path, r#"{"password": "hunter2hunter2"}"#);
        let event = token.into_iter().fold(event, GatewayEvent::token);
        house.send(event).await;
        let all = entries(&house);
        assert_eq!(all.len(), before + 1, "{path}");
        let expected = (who.to_owned(), "POST".to_owned(), path.to_owned(), status);
        assert_eq!(all.last(), Some(&expected));
    }
    let all = serde_json::to_string(&items(&house)).unwrap();
    assert!(!all.contains("hunter2"), "{all}");
}

#[tokio::test]
async fn that_it_cannot_be_written_down_keeps_nobody_from_the_answer() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::User]).await;
    house.break_down("PutItem", Trouble::Refused(Refusal::AccessDenied));
    let event = GatewayEvent::new("POST", "/instances").token(&token);
    assert_eq!(house.send(event).await.status, 204);
    assert_eq!(entries(&house), []);
}
