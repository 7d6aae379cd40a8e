//! How often a password may be guessed.

use haulout_aws::directory::Attempt;
use haulout_tests::{dynamo::TOKENS, gateway::Answer, life::together};

use super::support::{PASSWORD, Setup, Users, login};

const WRONG: &str = "a wrong password";

async fn guess(users: &Users, times: usize) {
    for number in 1..=times {
        let answer = users.login("ann", WRONG).await;
        assert_eq!(answer.problem(401), "wrong_credentials", "guess {number}");
    }
}

fn seconds(answer: &Answer) -> u64 {
    assert_eq!(answer.problem(429), "too_many_attempts");
    answer.header("retry-after").parse().unwrap()
}

#[tokio::test]
async fn the_thirteenth_wrong_password_locks_and_locks_double() {
    let users = Users::start().await;
    users.registered("ann").await;
    guess(&users, 12).await;
    for expected in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(seconds(&users.login("ann", WRONG).await), expected);
        users.jump(10);
        // While it is locked, the right one helps as little, and tries count as little.
        assert_eq!(seconds(&users.login("ann", WRONG).await), expected - 10);
        assert_eq!(seconds(&users.login("ann", PASSWORD).await), expected - 10);
        users.jump(expected - 10);
    }
    users.token("ann", PASSWORD).await;
    guess(&users, 12).await;
    assert_eq!(seconds(&users.login("ann", WRONG).await), 30);
}

#[tokio::test]
async fn the_right_password_forgets_the_wrong_ones() {
    let users = Users::start().await;
    users.registered("ann").await;
    for _ in 0..3 {
        guess(&users, 12).await;
        users.token("ann", PASSWORD).await;
    }
    let counts = users.items(TOKENS);
    let is_count =
        |item: &&serde_json::Value| item["id"]["S"].as_str().unwrap().starts_with("attempts#");
    assert_eq!(counts.iter().filter(is_count).count(), 0);
}

#[tokio::test]
async fn an_hour_forgets_them_too() {
    let users = Users::start().await;
    users.registered("ann").await;
    guess(&users, 12).await;
    users.jump(3_599);
    assert_eq!(users.login("ann", WRONG).await.status, 429);
    users.jump(3_600);
    guess(&users, 12).await;
    assert_eq!(seconds(&users.login("ann", WRONG).await), 30);
}

#[tokio::test]
async fn other_addresses_and_other_users_are_not_concerned() {
    let users = Users::start().await;
    users.registered("ann").await;
    users.registered("ben").await;
    guess(&users, 12).await;
    assert_eq!(users.login("ann", WRONG).await.status, 429);
    users.token("ben", PASSWORD).await;
    let elsewhere = |password| login("ann", password).from_address("198.51.100.7");
    assert_eq!(users.send(&elsewhere(WRONG)).await.status, 401);
    assert_eq!(users.send(&elsewhere(PASSWORD)).await.status, 200);
    assert_eq!(
        users.login("ann", PASSWORD).await.status,
        429,
        "that was another's success"
    );
}

#[tokio::test]
async fn all_addresses_of_an_ipv6_network_are_one() {
    let users = Users::start().await;
    users.registered("ann").await;
    for number in 1..=12 {
        let event = login("ann", WRONG).from_address(&format!("2001:db8:1:2::{number}"));
        assert_eq!(users.send(&event).await.status, 401);
    }
    let event = login("ann", PASSWORD).from_address("2001:db8:1:2:aaaa::1");
    assert_eq!(
        users
            .send(&login("ann", WRONG).from_address("2001:db8:1:2::d"))
            .await
            .status,
        429
    );
    assert_eq!(users.send(&event).await.status, 429);
    let event = login("ann", PASSWORD).from_address("2001:db8:1:3::1");
    assert_eq!(users.send(&event).await.status, 200);
}

#[tokio::test]
async fn users_that_are_not_there_are_counted_the_same() {
    let users = Users::start().await;
    for _ in 0..12 {
        assert_eq!(users.login("ann", WRONG).await.status, 401);
    }
    assert_eq!(seconds(&users.login("ann", WRONG).await), 30);
}

#[tokio::test]
async fn guesses_at_once_are_all_counted() {
    for seed in 1..=6 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        users.registered("ann").await;
        let event = login("ann", WRONG);
        let answers = together((0..30).map(|_| users.send(&event))).await;
        let of = |status| answers.iter().filter(|it| it.status == status).count();
        assert_eq!((of(401), of(429)), (12, 18), "seed {seed}");
        assert!(
            answers
                .iter()
                .filter(|it| it.status == 429)
                .all(|it| seconds(it) >= 30)
        );
    }
}

#[tokio::test]
async fn of_tries_at_once_thirteen_passwords_are_looked_at() {
    let ann = "ann".parse().unwrap();
    for seed in 1..=8 {
        let users = Users::start_with(Setup::shuffled(seed)).await;
        let now = users.world.clock.now();
        let count = || users.directory.begin_attempt(&ann, "192.0.2.1", now);
        let attempts = together((0..30).map(|_| users.world.invoke("identity", count))).await;
        let attempts: Vec<_> = attempts
            .into_iter()
            .map(|it| it.unwrap().unwrap())
            .collect();
        let free = Attempt::Counted { locked_until: None };
        let is_locking = |it: &&Attempt| {
            matches!(
                it,
                Attempt::Counted {
                    locked_until: Some(_)
                }
            )
        };
        assert_eq!(
            attempts.iter().filter(|it| **it == free).count(),
            12,
            "seed {seed}"
        );
        assert_eq!(attempts.iter().filter(is_locking).count(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn a_right_one_is_let_in_between_locks() {
    let users = Users::start().await;
    users.registered("ann").await;
    guess(&users, 12).await;
    users.token("ann", PASSWORD).await;
    guess(&users, 12).await;
    assert_eq!(seconds(&users.login("ann", WRONG).await), 30);
    users.jump(30);
    users.token("ann", PASSWORD).await;
    guess(&users, 12).await;
}
