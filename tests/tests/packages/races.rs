//! Commits at once, in orders that a seed decides: each AWS call of one may come between any two of another's.

use haulout_tests::{gateway::GatewayEvent, life::together};
use serde_json::json;

use super::support::{Sent, Shelf, archive, version};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=24;

#[tokio::test]
async fn an_upload_that_is_committed_twice_at_once_is_one_package() {
    for seed in SEEDS {
        let shelf = Shelf::shuffled(seed).await;
        let sent = shelf.sent("ann", &version("1.0.0"), &archive(100)).await;
        let answers = together((0..3).map(|_| shelf.commit("ann", &sent))).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "seed {seed}: {}", answer.text());
            assert_eq!(answer.json(), answers[0].json(), "seed {seed}");
        }
        let package = shelf.package("model@1.0.0").await.unwrap();
        assert_eq!(shelf.s3().keys(), [package.key.to_string()], "seed {seed}");
        assert_eq!(shelf.s3().uploads(), 0, "seed {seed}");
    }
}

#[tokio::test]
async fn of_several_uploads_of_a_version_one_is_the_package() {
    let mut winners = std::collections::BTreeSet::new();
    for seed in SEEDS {
        let shelf = Shelf::shuffled(seed).await;
        let mut all: Vec<(&str, Sent)> = Vec::new();
        for (who, size) in [("ann", 10), ("bob", 20), ("carol", 30)] {
            all.push((
                who,
                shelf.sent(who, &version("1.0.0"), &archive(size)).await,
            ));
        }
        let answers = together(all.iter().map(|(who, sent)| shelf.commit(who, sent))).await;
        let won: Vec<_> = answers.iter().filter(|it| it.status == 200).collect();
        assert_eq!(won.len(), 1, "seed {seed}");
        let view = won[0].json();
        for answer in answers.iter().filter(|it| it.status != 200) {
            assert_eq!(answer.problem(409), "version_exists", "seed {seed}");
        }
        let package = shelf.package("model@1.0.0").await.unwrap();
        assert_eq!(view["owner"], package.owner.as_str());
        // The losers' objects are gone.
        assert_eq!(shelf.s3().keys(), [package.key.to_string()], "seed {seed}");
        assert_eq!(shelf.s3().uploads(), 0, "seed {seed}");
        winners.insert(package.owner);
    }
    // The order makes a difference, or nothing was tried here.
    assert!(winners.len() > 1, "{winners:?}");
}

#[tokio::test]
async fn an_upload_is_committed_or_given_up_and_not_both() {
    let mut ends = std::collections::BTreeSet::new();
    for seed in SEEDS {
        let shelf = Shelf::shuffled(seed).await;
        let sent = shelf.sent("ann", &version("1.0.0"), &archive(100)).await;
        let abort = GatewayEvent::post(&format!("/abort/{}", sent.id), "{}");
        let commit = json!({"parts": sent.parts}).to_string();
        let commit = GatewayEvent::post(&format!("/commit/{}", sent.id), commit);
        let answers = together([commit, abort].map(|event| shelf.send("ann", event))).await;
        let statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
        let is_there = shelf.package("model@1.0.0").await.is_some();
        let expected: &[u16] = if is_there { &[200, 409] } else { &[409, 200] };
        assert_eq!(statuses, expected, "seed {seed}");
        assert_eq!(
            shelf.s3().keys().len(),
            usize::from(is_there),
            "seed {seed}"
        );
        assert_eq!(shelf.s3().uploads(), 0, "seed {seed}");
        ends.insert(is_there);
    }
    assert_eq!(ends.len(), 2);
}

#[tokio::test]
async fn a_synchronization_beside_a_commit_takes_nothing_from_it() {
    for seed in SEEDS {
        let shelf = Shelf::shuffled(seed).await;
        let sent = shelf.sent("ann", &version("1.0.0"), &archive(100)).await;
        let token = haulout_tests::callers::TOKEN;
        let sync = GatewayEvent::post("/packages/sync", "{}");
        let commit = json!({"parts": sent.parts}).to_string();
        let commit = GatewayEvent::post(&format!("/commit/{}", sent.id), commit);
        let requests = [("ann", commit), (token, sync.clone()), (token, sync)];
        let answers = together(requests.map(|(who, event)| shelf.send(who, event))).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "seed {seed}: {}", answer.text());
        }
        for report in &answers[1..] {
            let report = report.json();
            assert_eq!(
                (&report["found"], &report["missing"]),
                (&json!([]), &json!([])),
                "seed {seed}"
            );
        }
        let package = shelf.package("model@1.0.0").await.unwrap();
        assert_eq!(
            (package.owner.as_str(), package.is_sensitive),
            ("ann", false),
            "seed {seed}"
        );
    }
}
