//! How the token is fetched, kept and replaced.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use axum::Router;
use haulout_api::{Auth, Conventions, auth::TokenSource};
use haulout_aws::{clock::Clock, error::AwsError, secrets::Secret};
use haulout_tests::gateway::{Answer, GatewayEvent};
use jiff::Timestamp;

use super::support::routes;

const OLD: &str = "the-old-token-0001";
const NEW: &str = "the-new-token-0002";

/// A secret that can be changed, or out of reach, and counts who asks.
#[derive(Clone, Default)]
struct Vault {
    token: Arc<Mutex<Option<&'static str>>>,
    fetches: Arc<AtomicU32>,
    seconds: Arc<AtomicI64>,
}

impl TokenSource for Vault {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Secret, AwsError>> + Send + '_>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let token = *self.token.lock().unwrap();
        Box::pin(async move {
            token
                .map(Secret::new)
                .ok_or_else(|| AwsError::incomplete("GetSecretValue", "everything"))
        })
    }
}

impl Vault {
    fn holding(token: &'static str) -> (Self, Router) {
        let vault = Self::default();
        vault.hold(Some(token));
        let seconds = Arc::clone(&vault.seconds);
        let clock = Clock::from_fn(move || {
            Timestamp::from_second(1_000_000 + seconds.load(Ordering::SeqCst)).unwrap()
        });
        let conventions = Conventions {
            auth: Some(Auth::source(vault.clone(), clock)),
            ..Conventions::default()
        };
        (vault, haulout_api::app(routes(), conventions))
    }

    fn hold(&self, token: Option<&'static str>) {
        *self.token.lock().unwrap() = token;
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }
}

async fn try_with(app: &Router, token: &str) -> Answer {
    GatewayEvent::get("/things").token(token).send(app).await
}

#[tokio::test]
async fn one_fetch_serves_many_requests_and_none_without_need() {
    let (vault, app) = Vault::holding(OLD);
    assert_eq!(GatewayEvent::get("/health").send(&app).await.status, 200);
    assert_eq!(GatewayEvent::get("/things").send(&app).await.status, 401);
    let malformed = GatewayEvent::get("/things").header("authorization", "Basic x");
    assert_eq!(malformed.send(&app).await.status, 401);
    assert_eq!(vault.fetches(), 0);
    for _ in 0..10 {
        assert_eq!(try_with(&app, OLD).await.status, 200);
    }
    assert_eq!(vault.fetches(), 1);
}

#[tokio::test]
async fn a_rotated_token_is_found_at_once_and_the_old_one_stops() {
    let (vault, app) = Vault::holding(OLD);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.pass(60);
    vault.hold(Some(NEW));
    assert_eq!(try_with(&app, NEW).await.status, 200);
    assert_eq!(try_with(&app, OLD).await.problem(401), "invalid_token");
}

#[tokio::test]
async fn who_guesses_does_not_make_us_ask_each_time() {
    let (vault, app) = Vault::holding(OLD);
    for second in 0..20 {
        for guess in 0..5 {
            let answer = try_with(&app, &format!("guess-{second}-{guess}")).await;
            assert_eq!(answer.problem(401), "invalid_token");
        }
        vault.pass(1);
    }
    assert_eq!(vault.fetches(), 4, "20 seconds, one fetch in 5");
    assert_eq!(try_with(&app, OLD).await.status, 200);
}

#[tokio::test]
async fn a_withdrawn_token_stops_without_anybody_using_the_new_one() {
    let (vault, app) = Vault::holding(OLD);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.hold(Some(NEW));
    vault.pass(299);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.pass(2);
    assert_eq!(try_with(&app, OLD).await.problem(401), "invalid_token");
}

#[tokio::test]
async fn out_of_reach_is_a_503_and_never_open() {
    let (vault, app) = Vault::holding(OLD);
    vault.hold(None);
    for _ in 0..10 {
        let answer = try_with(&app, OLD).await;
        assert_eq!(answer.problem(503), "unavailable");
        assert_eq!(answer.header("retry-after"), "5");
        assert!(
            !answer.text().contains("GetSecretValue"),
            "no cause in {}",
            answer.text()
        );
    }
    assert_eq!(vault.fetches(), 1);
    vault.hold(Some(OLD));
    vault.pass(5);
    assert_eq!(try_with(&app, OLD).await.status, 200);
}

#[tokio::test]
async fn a_known_token_outlives_an_hour_of_trouble_and_no_more() {
    let (vault, app) = Vault::holding(OLD);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.hold(None);
    vault.pass(3_599);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    assert_eq!(try_with(&app, NEW).await.problem(401), "invalid_token");
    vault.pass(10);
    assert_eq!(try_with(&app, OLD).await.problem(503), "unavailable");
}

#[tokio::test]
async fn a_clock_that_jumps_back_does_not_lock_anybody_out() {
    let (vault, app) = Vault::holding(OLD);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.pass(-100_000);
    assert_eq!(try_with(&app, OLD).await.status, 200);
    vault.hold(Some(NEW));
    vault.pass(5);
    assert_eq!(try_with(&app, NEW).await.status, 200);
}

#[tokio::test]
async fn requests_that_come_together_share_a_fetch() {
    let (vault, app) = Vault::holding(OLD);
    let together: Vec<_> = (0..16)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { try_with(&app, OLD).await.status })
        })
        .collect();
    for task in together {
        assert_eq!(task.await.unwrap(), 200);
    }
    assert_eq!(vault.fetches(), 1);
}
