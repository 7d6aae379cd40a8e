//! Packages of the registry: the machine's ticket is redeemed for an address, which nobody is shown.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::State, response::Response, routing::post};
use haulout_domain::staging::{Source, StagingCode, Ticket};
use serde_json::{Value, json};

use super::{World, check, runtime};

/// What stands in an address, and must be shown nowhere.
const SIGNATURE: &str = "X-Amz-Signature=5ec7e7";

/// What the registry does with a ticket.
#[derive(Clone)]
enum Answer {
    /// The address.
    Address,
    /// This status with a text.
    Status(u16, &'static str),
    /// An answer that ends within the address.
    Lost,
}

/// The registry: it redeems tickets as it is told, and in the end for the address.
#[derive(Clone)]
struct Registry {
    address: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Registry {
    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

async fn redeem(State(registry): State<Registry>, body: String) -> Response {
    registry
        .asked
        .lock()
        .unwrap()
        .push(serde_json::from_str(&body).unwrap());
    let answer = registry.answers.lock().unwrap().pop_front();
    let good = json!({"url": registry.address, "expires_at": "2026-01-01T00:00:00Z"}).to_string();
    match answer.unwrap_or(Answer::Address) {
        Answer::Address => Response::new(Body::from(good)),
        Answer::Status(status, text) => Response::builder()
            .status(status)
            .body(Body::from(text))
            .unwrap(),
        Answer::Lost => Response::builder()
            .body(Body::from(good.split_at(20).0.to_owned()))
            .unwrap(),
    }
}

/// The world's blob is a package now.
fn packaged(world: &mut World, answers: &[Answer]) -> Registry {
    let registry = Registry {
        address: format!(
            "{}/v1/blobs/{}?X-Amz-Date=20260101T000000Z&{SIGNATURE}",
            world.walruses[0].aggregator_url(),
            world.stored.blob_id
        ),
        answers: Arc::new(Mutex::new(answers.to_vec().into())),
        asked: Arc::default(),
    };
    let routes = Router::new()
        .route("/tickets/redeem", post(redeem))
        .with_state(registry.clone());
    let listener = runtime()
        .block_on(tokio::net::TcpListener::bind(SocketAddr::from((
            [127, 0, 0, 1],
            0,
        ))))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime().spawn(async move { axum::serve(listener, routes).await });
    world.request.source = Source::Package {
        package: "model@v1.0".parse().unwrap(),
        registry: url.parse().unwrap(),
        ticket: Ticket::of([7; 32]),
    };
    registry
}

/// No address and no ticket is left where somebody may read it later.
#[track_caller]
fn keeps_quiet(world: &World, shown: &str) {
    let log = world.machine.read("stage/staging.log");
    for text in [shown, &log] {
        assert!(!text.contains(SIGNATURE), "{text}");
        assert!(!text.contains(&"07".repeat(32)), "{text}");
    }
    for left in ["ticket", "link"] {
        assert!(
            !world.machine.path("stage/blob").join(left).exists(),
            "{left}"
        );
    }
}

#[test]
fn a_package_is_staged_for_its_ticket() {
    check(|world| {
        world.large_blob();
        let registry = packaged(world, &[]);
        let (_, ended) = world.ready();
        keeps_quiet(world, &ended.stdout);
        let asked = registry.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0]["ticket"], "07".repeat(32));
        let word = asked[0]["redemption"].as_str().unwrap();
        assert!(word.parse::<Ticket>().is_ok(), "{word}");
    });
}

#[test]
fn without_curl_python_redeems_it() {
    check(|world| {
        world.machine.without(&["curl"]);
        let registry = packaged(world, &[Answer::Status(503, "busy")]);
        let (_, ended) = world.ready();
        keeps_quiet(world, &ended.stdout);
        assert_eq!(registry.asked().len(), 2);
    });
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_word() {
    check(|world| {
        let registry = packaged(
            world,
            &[
                Answer::Lost,
                Answer::Status(429, "slowly"),
                Answer::Status(500, "oops"),
            ],
        );
        let (_, ended) = world.ready();
        keeps_quiet(world, &ended.stdout);
        let asked = registry.asked();
        assert_eq!(asked.len(), 4);
        assert!(asked.iter().all(|one| *one == asked[0]), "{asked:?}");
    });
}

#[test]
fn a_ticket_that_is_not_taken_fails_the_machine() {
    check(|world| {
        let registry = packaged(
            world,
            &[Answer::Status(
                410,
                "{\"detail\":\"the ticket has expired\"}",
            )],
        );
        let ended = world.fails(StagingCode::TicketRefused, "the ticket has expired");
        keeps_quiet(world, &ended.stdout);
        assert_eq!(registry.asked().len(), 1);
    });
}

#[test]
fn a_registry_that_does_not_answer_is_named() {
    check(|world| {
        world.machine.set("HAULOUT_BACKOFF_SECONDS", "0");
        let registry = packaged(world, &vec![Answer::Status(503, "busy"); 6]);
        world.fails(StagingCode::PackageUnavailable, "HTTP 503 busy");
        assert_eq!(registry.asked().len(), 6);
    });
}

#[test]
fn started_again_it_needs_no_ticket() {
    check(|world| {
        let registry = packaged(world, &[]);
        world.ready();
        world.request.cycle += 1;
        world.ready();
        assert_eq!(registry.asked().len(), 1);
    });
}

#[test]
fn an_address_that_is_refused_is_not_shown() {
    check(|world| {
        world.machine.set("HAULOUT_BACKOFF_SECONDS", "0");
        let registry = packaged(world, &[]);
        world.walruses[0]
            .faults()
            .always(haulout_local::walrus::Fault::Status(403));
        let ended = world.fails(StagingCode::BlobUnavailable, "HTTP 403");
        keeps_quiet(world, &ended.stdout);
        assert_eq!(registry.asked().len(), 1);
    });
}
