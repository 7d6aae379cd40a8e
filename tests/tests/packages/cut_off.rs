//! Commits that are cut off: the function is killed after any of its AWS calls, or answers of AWS are lost or refused.
//! Whoever goes on, there is one package and one object in the end.

use haulout_tests::{
    call::{Action, Refusal, Service},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    gateway::GatewayEvent,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::{FUNCTION, Sent, Shelf, archive, version};

/// More than a commit makes.
const MOST_CALLS: u32 = 30;

/// Who goes on with a commit that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The caller, with the same request.
    Commit,
    /// The caller, who asks how it stands, and commits what is open still.
    Look,
    /// An administrator, and the same.
    Sync,
}

fn killed(after_calls: u32) -> InvocationFault {
    InvocationFault {
        function: FUNCTION.to_owned(),
        fate: Fate::Killed {
            after_calls,
            death: Death::Exit,
        },
        skip: 0,
        times: 1,
        until: Timestamp::MAX,
    }
}

async fn ready() -> (Shelf, Sent) {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(100)).await;
    (shelf, sent)
}

fn commit_event(sent: &Sent) -> GatewayEvent {
    let body = json!({"parts": sent.parts});
    GatewayEvent::post(&format!("/commit/{}", sent.id), body.to_string())
}

async fn go_on(shelf: &Shelf, sent: &Sent, next: Next) {
    if next == Next::Sync {
        shelf.sync().await;
    }
    if next == Next::Look {
        let seen = shelf
            .get("ann", &format!("/uploads/{}", sent.id))
            .await
            .json();
        let status = seen["status"].as_str().unwrap().to_owned();
        assert_ne!(status, "committing", "{seen}");
    }
    let answer = shelf.commit("ann", sent).await;
    assert_eq!(answer.status, 200, "{next:?}: {}", answer.text());
}

/// One package, one object, and nothing that waits.
async fn check(shelf: &Shelf, sent: &Sent, what: &str) {
    let package = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(shelf.s3().keys(), [package.key.to_string()], "{what}");
    assert_eq!(shelf.s3().uploads(), 0, "{what}");
    assert_eq!(
        shelf.upload(&sent.id).await.status.as_str(),
        "committed",
        "{what}"
    );
    let open = shelf.registry.open_uploads(None, 10).await.unwrap();
    assert_eq!(open, [], "{what}");
}

#[tokio::test]
async fn a_commit_that_is_killed_anywhere_is_gone_on_with() {
    for next in [Next::Commit, Next::Look, Next::Sync] {
        for calls in 0..=MOST_CALLS {
            let (shelf, sent) = ready().await;
            shelf.world.faults.doom(killed(calls));
            let answer = shelf.try_send("ann", commit_event(&sent)).await;
            let lived = answer.is_ok();
            assert!(
                calls < MOST_CALLS || lived,
                "a commit makes more calls than are tried"
            );
            shelf.world.faults.clear();
            go_on(&shelf, &sent, next).await;
            check(&shelf, &sent, &format!("{next:?} after {calls} calls")).await;
            if lived {
                assert!(calls > 5, "a commit makes no calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_that_is_killed_anywhere_leaves_nothing() {
    for next in ["commit", "sync"] {
        for calls in 0..=MOST_CALLS {
            let shelf = Shelf::start().await;
            let mut body = version("1.0.0");
            body["sha256"] = json!("00".repeat(32));
            let sent = shelf.sent("ann", &body, &archive(100)).await;
            shelf.world.faults.doom(killed(calls));
            let lived = shelf.try_send("ann", commit_event(&sent)).await.is_ok();
            shelf.world.faults.clear();
            if next == "sync" {
                shelf.sync().await;
            }
            let answer = shelf.commit("ann", &sent).await;
            assert_eq!(answer.problem(400), "package_refused", "{calls}");
            assert_eq!(shelf.s3().keys().len(), 0, "{next} after {calls} calls");
            assert_eq!(shelf.s3().uploads(), 0, "{next} after {calls} calls");
            assert_eq!(shelf.package("model@1.0.0").await, None);
            if lived {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_late_commit_that_is_killed_anywhere_leaves_the_first_one_alone() {
    for calls in 0..=MOST_CALLS {
        let shelf = Shelf::start().await;
        let late = shelf.sent("bob", &version("1.0.0"), &archive(20)).await;
        let first = shelf.published("ann", &version("1.0.0")).await;
        shelf.world.faults.doom(killed(calls));
        let event = commit_event(&late);
        let lived = shelf.try_send("bob", event).await.is_ok();
        shelf.world.faults.clear();
        assert_eq!(
            shelf.commit("bob", &late).await.problem(409),
            "version_exists"
        );
        let there = shelf.get("ann", "/packages/model/1.0.0").await.json();
        assert_eq!(there, first, "after {calls} calls");
        assert_eq!(
            (shelf.s3().keys().len(), shelf.s3().uploads()),
            (1, 0),
            "after {calls} calls"
        );
        if lived {
            break;
        }
    }
}

/// Arms trouble at each call of a commit in turn; `times` of the calls from there on go wrong.
async fn troubled(trouble: Trouble, times: u32) {
    for skip in 0..=MOST_CALLS {
        let (shelf, sent) = ready().await;
        shelf.world.faults.arm(CallFault {
            function: FUNCTION.to_owned(),
            action: None,
            trouble,
            skip,
            times,
            until: Timestamp::MAX,
        });
        let answer = shelf.commit("ann", &sent).await;
        let what = format!("{trouble:?} {times} times after {skip} calls");
        assert!(
            matches!(answer.status, 200 | 503),
            "{what}: {}",
            answer.text()
        );
        if answer.status == 503 {
            assert!(!answer.header("retry-after").is_empty(), "{what}");
        }
        let struck = shelf.world.faults.struck();
        shelf.world.faults.clear();
        go_on(&shelf, &sent, Next::Commit).await;
        check(&shelf, &sent, &what).await;
        if struck == 0 {
            return;
        }
    }
    panic!("a commit makes more calls than are tried");
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for() {
    troubled(Trouble::Lost, 1).await;
}

#[tokio::test]
async fn answers_that_stay_lost_are_told_and_gone_on_with() {
    troubled(Trouble::Lost, 3).await;
}

#[tokio::test]
async fn trouble_at_aws_is_told_and_gone_on_with() {
    troubled(Trouble::Refused(Refusal::Throttled), 3).await;
    troubled(Trouble::Refused(Refusal::ServerError), 1).await;
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_makes_one_object() {
    let (shelf, sent) = ready().await;
    let complete = Action {
        service: Service::S3,
        name: "CompleteMultipartUpload".to_owned(),
    };
    shelf.world.faults.arm(CallFault {
        times: 1,
        ..CallFault::new(FUNCTION, &complete, Trouble::Lost)
    });
    let answer = shelf.commit("ann", &sent).await;
    // The second of the SDK's tries is told that the upload is over.
    assert_eq!(answer.status, 200, "{}", answer.text());
    check(&shelf, &sent, "lost").await;
}

#[tokio::test]
async fn parts_that_the_bucket_gave_up_fail_a_commit_that_was_cut_off() {
    let (shelf, sent) = ready().await;
    let complete = Action {
        service: Service::S3,
        name: "CompleteMultipartUpload".to_owned(),
    };
    let refused = Trouble::Refused(Refusal::ServerError);
    shelf.world.faults.arm(CallFault {
        times: 3,
        ..CallFault::new(FUNCTION, &complete, refused)
    });
    assert_eq!(shelf.commit("ann", &sent).await.problem(503), "unavailable");
    let other = Sent {
        parts: json!([{"PartNumber": 1, "ETag": "ab"}]),
        id: sent.id.clone(),
    };
    assert_eq!(
        shelf.commit("ann", &other).await.problem(409),
        "upload_ended"
    );
    shelf.s3().abort_uploads();
    let answer = shelf.commit("ann", &sent).await;
    assert_eq!(answer.problem(400), "package_refused");
    assert_eq!(shelf.package("model@1.0.0").await, None);
}

#[tokio::test]
async fn an_upload_begins_once_although_answers_are_lost() {
    for trouble in [Trouble::Lost, Trouble::Refused(Refusal::Throttled)] {
        for skip in 0..8 {
            let shelf = Shelf::start().await;
            shelf.world.faults.arm(CallFault {
                function: FUNCTION.to_owned(),
                action: None,
                trouble,
                skip,
                times: 3,
                until: Timestamp::MAX,
            });
            let request = || {
                GatewayEvent::post("/init", version("1.0.0").to_string())
                    .header("idempotency-key", "k")
            };
            let first = shelf.send("ann", request()).await;
            assert!(matches!(first.status, 200 | 503), "{}", first.text());
            shelf.world.faults.clear();
            let second = shelf.send("ann", request()).await;
            assert_eq!(second.status, 200, "{}", second.text());
            let third = shelf.send("ann", request()).await;
            assert_eq!(third.json(), second.json());
            let open = shelf.registry.open_uploads(None, 10).await.unwrap();
            assert_eq!(open.len(), 1, "{trouble:?} after {skip}");
        }
    }
}

#[tokio::test]
async fn a_deletion_that_is_killed_anywhere_is_gone_on_with() {
    for calls in 0..=MOST_CALLS {
        let shelf = Shelf::start().await;
        shelf.published("ann", &version("1.0.0")).await;
        shelf.world.faults.doom(killed(calls));
        let event = GatewayEvent::new("DELETE", "/packages/model/1.0.0");
        let lived = shelf.try_send("ann", event).await.is_ok();
        shelf.world.faults.clear();
        let reports: Vec<Value> = shelf.sync().await;
        assert!(
            reports.iter().all(|it| it["found"] == json!([])),
            "after {calls} calls: {reports:?}"
        );
        let answer = shelf.delete("ann", "/packages/model/1.0.0").await;
        assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
        assert_eq!(shelf.package("model@1.0.0").await, None);
        assert_eq!(shelf.s3().keys().len(), 0, "after {calls} calls");
        if lived {
            break;
        }
    }
}
