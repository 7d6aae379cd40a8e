//! POST /tickets/redeem: what a machine gets for its ticket, and what others get for it.

use std::time::Duration;

use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    staging::{Archive, Grant, StagingSpec, Ticket},
    status::{Desired, Status},
};
use haulout_tests::{
    gateway::{Answer, GatewayEvent},
    world::usual_request,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::support::{Shelf, archive, version};

const OWNER: &str = "ann";

/// A machine to which the command was sent a moment ago: its record does not say so yet.
async fn machine(shelf: &Shelf) -> Machine {
    let id = shelf.world.create(&usual_request()).await.unwrap();
    let change = |machine: &mut Machine| {
        machine.status = Status::WaitingForSsm;
        machine.staging = Some(StagingSpec {
            archive: Archive::Package("model@1.0.0".parse().unwrap()),
            package_key: None,
            sha256: None,
            size_bytes: None,
        });
    };
    let changed = shelf.world.store.update(&id, change).await.unwrap();
    changed.unwrap().0
}

/// A ticket of a machine for what is published as `model@1.0.0` now.
async fn ticket_of(shelf: &Shelf, machine: &Machine, minutes: i64) -> Ticket {
    let package = shelf.package("model@1.0.0").await.unwrap();
    let grant = Grant {
        machine: machine.id.clone(),
        cycle: machine.cycle,
        package: package.reference(),
        key: Some(package.key),
        expires_at: shelf.now() + SignedDuration::from_mins(minutes),
        redeemed_with: None,
    };
    shelf.world.store.issue_ticket(&grant).await.unwrap()
}

async fn ticket(shelf: &Shelf) -> Ticket {
    let machine = machine(shelf).await;
    ticket_of(shelf, &machine, 3).await
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

/// For how many seconds the link is good that comes for a ticket of so many minutes, after so many seconds.
async fn lasts(minutes: i64, after: u64) -> i64 {
    let shelf = Box::pin(Shelf::start()).await;
    shelf.published(OWNER, &version("1.0.0")).await;
    let machine = machine(&shelf).await;
    let ticket = ticket_of(&shelf, &machine, minutes).await;
    shelf.world.jump(Duration::from_secs(after));
    let answer = redeem(&shelf, &ticket, "a").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let link = answer.json();
    let until: Timestamp = link["expires_at"].as_str().unwrap().parse().unwrap();
    let seconds = until.duration_since(shelf.now()).as_secs();
    let url = link["url"].as_str().unwrap();
    assert!(url.contains(&format!("X-Amz-Expires={seconds}&")), "{url}");
    seconds
}

#[tokio::test]
async fn a_link_lasts_as_long_as_its_ticket_still_does() {
    assert_eq!(lasts(3, 0).await, 180);
    assert_eq!(lasts(3, 60).await, 120);
    // Nobody begins to download in no time at all.
    assert_eq!(lasts(3, 175).await, 60);
    assert_eq!(lasts(300, 0).await, 4 * 3600);
}

#[tokio::test]
async fn a_ticket_is_for_a_machine_that_is_being_set_up() {
    type Change = fn(&mut Machine);
    let cases: [(&str, Change, u16); 6] = [
        ("it is at it", |it| it.status = Status::FetchingBlob, 200),
        ("it was started anew", |it| it.cycle += 1, 410),
        ("it is to go", |it| it.desired = Desired::Terminated, 410),
        ("it has failed", |it| it.status = Status::Failed, 410),
        ("it has ended", |it| it.closed_at = Some(it.created_at), 410),
        ("it is ready", |it| it.status = Status::Ready, 410),
    ];
    let shelf = Box::pin(Shelf::start()).await;
    shelf.published(OWNER, &version("1.0.0")).await;
    for (what, change, status) in cases {
        let machine = machine(&shelf).await;
        let ticket = ticket_of(&shelf, &machine, 3).await;
        let changed = shelf.world.store.update(&machine.id, change).await;
        changed.unwrap().unwrap();
        let answer = redeem(&shelf, &ticket, "a").await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        if status == 410 {
            assert_eq!(answer.problem(410), "ticket_refused", "{what}");
            assert!(answer.detail().contains("create the machine again"));
        }
    }
    let mut gone = machine(&shelf).await;
    gone.id = MachineId::generate();
    let ticket = ticket_of(&shelf, &gone, 3).await;
    let answer = redeem(&shelf, &ticket, "a").await;
    assert_eq!(answer.problem(410), "ticket_refused");
}
