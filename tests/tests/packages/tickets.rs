//! POST /tickets/redeem: what a machine gets for its ticket, and what others get for it.

use std::time::Duration;

use haulout_domain::{
    ids::MachineId,
    staging::{Grant, Ticket},
};
use haulout_tests::gateway::{Answer, GatewayEvent};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{Shelf, archive, version};

const OWNER: &str = "ann";

/// A ticket for what is published as `model@1.0.0` now.
async fn ticket(shelf: &Shelf) -> Ticket {
    let package = shelf.package("model@1.0.0").await.unwrap();
    let grant = Grant {
        machine: MachineId::generate(),
        cycle: 1,
        package: package.reference(),
        key: Some(package.key),
        expires_at: shelf.now() + SignedDuration::from_mins(3),
        redeemed_with: None,
    };
    shelf.world.store.issue_ticket(&grant).await.unwrap()
}

/// Without any token, as machines do.
async fn redeem(shelf: &Shelf, ticket: &Ticket, word: &str) -> Answer {
    let body = json!({"ticket": ticket.expose(), "redemption": word.repeat(64)});
    let event = GatewayEvent::post("/tickets/redeem", body.to_string());
    shelf.stranger(event).await
}

#[tokio::test]
async fn a_machine_gets_its_package_and_nobody_else_does() {
    let shelf = Box::pin(Shelf::start()).await;
    shelf.published(OWNER, &version("1.0.0")).await;
    let ticket = ticket(&shelf).await;
    for _ in 0..2 {
        let answer = redeem(&shelf, &ticket, "a").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = shelf.carry_out("GET", &answer.json(), b"");
        assert_eq!(got.status, 200);
        assert!(got.body == archive(100));
    }
    let late = redeem(&shelf, &ticket, "b").await;
    assert_eq!(late.problem(410), "ticket_refused");
    let unknown = redeem(&shelf, &Ticket::of([1; 32]), "a").await;
    assert_eq!(unknown.problem(404), "unknown_ticket");
}

#[tokio::test]
async fn a_ticket_is_good_for_minutes() {
    let shelf = Box::pin(Shelf::start()).await;
    shelf.published(OWNER, &version("1.0.0")).await;
    let ticket = ticket(&shelf).await;
    shelf.world.jump(Duration::from_mins(3));
    let late = redeem(&shelf, &ticket, "a").await;
    assert_eq!(late.problem(404), "unknown_ticket");
}

#[tokio::test]
async fn a_ticket_is_for_the_archive_that_was_allowed() {
    let shelf = Box::pin(Shelf::start()).await;
    shelf.published(OWNER, &version("1.0.0")).await;
    let ticket = ticket(&shelf).await;
    let deleted = shelf.delete(OWNER, "/packages/model/1.0.0").await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    let mut secret = version("1.0.0");
    secret["is_sensitive"] = json!(true);
    shelf.published("carol", &secret).await;
    let refused = redeem(&shelf, &ticket, "a").await;
    assert_eq!(refused.problem(410), "ticket_refused");
}
