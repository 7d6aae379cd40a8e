//! Records and bucket compared by themselves: what S3 tells of, and what the schedule finds.

use haulout_packages::SyncReport;
use haulout_tests::{
    call::{Action, Refusal, Service},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    settings::Settings,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::{SYNC, Shelf, archive, version};

const KEY: &str = "packages/model/v1.0/package.zip";

/// What the schedule in template.yaml sends.
fn schedule() -> Value {
    json!({"source": "haulout.schedule"})
}

/// Amazon S3 User Guide, "EventBridge event message structure".
fn created(key: &str) -> Value {
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::haulout-packages"],
        "detail": {
            "version": "0",
            "bucket": {"name": "haulout-packages"},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189"
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject"
        }
    })
}

/// The same source; in a bucket that keeps versions.
fn deleted(key: &str) -> Value {
    json!({
        "version": "0",
        "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9",
        "detail-type": "Object Deleted",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::haulout-packages"],
        "detail": {
            "version": "0",
            "bucket": {"name": "haulout-packages"},
            "object": {
                "key": key,
                "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "version-id": "1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF",
                "sequencer": "617f0837b476e463"
            },
            "request-id": "0BH729840619AG5K",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "DeleteObject",
            "deletion-type": "Delete Marker Created"
        }
    })
}

fn s3(name: &str) -> Action {
    Action {
        service: Service::S3,
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn an_archive_that_somebody_puts_into_the_bucket_becomes_the_admins_package() {
    let shelf = Shelf::start().await;
    shelf.s3().put(KEY, &archive(10));
    shelf
        .s3()
        .put("packages/other/v1.0/package.zip", &archive(10));
    let report = shelf.reconcile(&created(KEY)).await;
    assert_eq!(report.found, ["model@v1.0"]);
    let found = shelf.package("model@v1.0").await.unwrap();
    assert_eq!(
        (
            found.state.as_str(),
            found.is_sensitive,
            found.owner.as_str()
        ),
        ("unverified", true, "admin")
    );
    // It is about one key alone.
    assert_eq!(shelf.package("other@v1.0").await, None);
    // Told twice, it is looked into and nothing else.
    let report = shelf.reconcile(&created(KEY)).await;
    assert_eq!(
        (report.found.len(), &*report.verified),
        (0, &["model@v1.0".to_owned()][..])
    );
    let seen = shelf.package("model@v1.0").await.unwrap();
    assert_eq!((seen.state.as_str(), seen.is_sensitive), ("ready", true));
    assert_eq!(shelf.get("bob", "/download/model/v1.0").await.status, 403);
    assert_eq!(shelf.reconcile(&created(KEY)).await, SyncReport::default());
}

#[tokio::test]
async fn a_package_whose_archive_is_deleted_is_missing_until_it_is_back() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let key = shelf.s3().keys().remove(0);
    let bytes = shelf.s3().object(&key).unwrap();
    // An event counts for nothing where S3 says otherwise.
    assert_eq!(shelf.reconcile(&deleted(&key)).await, SyncReport::default());
    shelf.s3().remove(&key);
    assert_eq!(
        shelf.reconcile(&deleted(&key)).await.missing,
        ["model@1.0.0"]
    );
    let package = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(package.state.as_str(), "missing");
    assert_eq!(shelf.reconcile(&created(&key)).await, SyncReport::default());
    shelf.s3().put(&key, &bytes);
    assert_eq!(
        shelf.reconcile(&created(&key)).await.verified,
        ["model@1.0.0"]
    );
    let package = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(
        (
            package.state.as_str(),
            package.owner.as_str(),
            package.is_sensitive
        ),
        ("ready", "ann", false)
    );
}

#[tokio::test]
async fn the_object_of_an_upload_under_way_is_nobodys_but_the_uploads() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let key = shelf.upload(&sent.id).await.key.to_string();
    // Open, and being committed: S3 tells of the object before the commit has ended.
    shelf.s3().put(&key, &archive(10));
    assert_eq!(shelf.reconcile(&created(&key)).await, SyncReport::default());
    shelf.s3().remove(&key);
    let refused = Trouble::Refused(Refusal::ServerError);
    let fault = CallFault::new("packages", &s3("HeadObject"), refused);
    shelf.world.faults.arm(fault);
    assert_eq!(shelf.commit("ann", &sent).await.problem(503), "unavailable");
    assert_eq!(shelf.reconcile(&created(&key)).await, SyncReport::default());
    assert_eq!(shelf.package("model@1.0.0").await, None);
    // The schedule ends the commit, with nobody calling.
    let report = shelf.reconcile(&schedule()).await;
    assert_eq!((report.committed, report.found.len()), (1, 0));
    assert_eq!(shelf.package("model@1.0.0").await.unwrap().owner, "ann");
    assert_eq!(shelf.upload(&sent.id).await.status.as_str(), "committed");
}

/// A deletion of nothing is written down by a bucket that keeps versions, and told: whoever deleted on each such event
/// would never end.
#[tokio::test]
async fn the_event_of_a_deletion_deletes_nothing() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let key = shelf.upload(&sent.id).await.key.to_string();
    let answer = shelf
        .post("ann", &format!("/abort/{}", sent.id), &json!({}))
        .await;
    assert_eq!(answer.status, 200);
    let before = shelf.calls("DeleteObject");
    assert_eq!(shelf.reconcile(&deleted(&key)).await, SyncReport::default());
    assert_eq!(shelf.calls("DeleteObject"), before);
    // What came late goes.
    shelf.s3().put(&key, &archive(10));
    assert_eq!(shelf.reconcile(&created(&key)).await.deleted, 1);
    assert_eq!(shelf.s3().keys(), [""; 0]);
    assert_eq!(shelf.reconcile(&deleted(&key)).await, SyncReport::default());
}

#[tokio::test]
async fn uploads_whose_time_is_over_end_without_anybody_calling() {
    let shelf = Shelf::start().await;
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    assert_eq!(shelf.reconcile(&schedule()).await, SyncReport::default());
    shelf.jump(24);
    assert_eq!(shelf.reconcile(&schedule()).await.expired, 1);
    assert_eq!(shelf.upload(&sent.id).await.status.as_str(), "aborted");
    assert_eq!(shelf.s3().uploads(), 0);
    assert_eq!(shelf.reconcile(&schedule()).await, SyncReport::default());
}

/// Five packages, one of them without an archive, five archives without a record and five old uploads; each pass looks at
/// two things.
async fn full() -> Shelf {
    let bounds = haulout_packages::Settings {
        reconcile_items: 2,
        ..haulout_packages::Settings::default()
    };
    let shelf = Shelf::start_with(Settings::default(), bounds).await;
    for number in 0..5 {
        let key = format!("packages/found/1.0.{number}/package.zip");
        shelf.s3().put(&key, &archive(10));
        shelf
            .published("ann", &version(&format!("1.0.{number}")))
            .await;
        shelf
            .sent("ann", &version(&format!("2.0.{number}")), &archive(1))
            .await;
    }
    let gone = shelf.package("model@1.0.3").await.unwrap().key.to_string();
    shelf.s3().remove(&gone);
    shelf.jump(24);
    shelf
}

#[tokio::test]
async fn a_pass_goes_on_where_the_one_before_stopped_and_then_begins_anew() {
    let shelf = full().await;
    let (mut expired, mut found, mut missing, mut verified) =
        (0, Vec::new(), Vec::new(), Vec::new());
    // Ten passes for what is there, and a second round for what the first one found.
    for _ in 0..25 {
        let report = shelf.reconcile(&schedule()).await;
        let looked_at = report.expired as usize + report.found.len() + report.verified.len();
        assert!(looked_at <= 2, "{report:?}");
        expired += report.expired;
        found.extend(report.found);
        missing.extend(report.missing);
        verified.extend(report.verified);
    }
    assert_eq!((expired, found.len()), (5, 5), "{found:?}");
    assert_eq!(missing, ["model@1.0.3"]);
    assert_eq!(verified, found);
}

#[tokio::test]
async fn a_pass_that_is_cut_off_anywhere_is_gone_on_with() {
    for after_calls in 0..12 {
        let shelf = full().await;
        shelf.world.faults.doom(InvocationFault {
            function: SYNC.to_owned(),
            fate: Fate::Killed {
                after_calls,
                death: Death::TimedOut,
            },
            skip: 0,
            times: 3,
            until: Timestamp::MAX,
        });
        for _ in 0..3 {
            // Some end before they are killed.
            let _answer = shelf.try_reconcile(&schedule()).await;
        }
        for _ in 0..40 {
            shelf.reconcile(&schedule()).await;
        }
        for number in 0..5 {
            let found = shelf.package(&format!("found@1.0.{number}")).await.unwrap();
            assert_eq!(found.state.as_str(), "ready", "{after_calls}");
        }
        let open = shelf.registry.open_uploads(None, 10).await.unwrap();
        assert_eq!(open, [], "{after_calls}");
        // Between the end of an upload and that of its parts only the bucket's lifecycle rule is left.
        assert!(shelf.s3().uploads() <= 3, "{after_calls}");
        let gone = shelf.package("model@1.0.3").await.unwrap();
        assert_eq!(gone.state.as_str(), "missing", "{after_calls}");
    }
}

#[tokio::test]
async fn two_passes_at_once_and_an_event_do_everything_once() {
    for seed in 0..8 {
        let shelf = Shelf::shuffled(seed).await;
        shelf.s3().put(KEY, &archive(10));
        let sent = shelf.sent("ann", &version("2.0.0"), &archive(10)).await;
        let refused = Trouble::Refused(Refusal::ServerError);
        let fault = CallFault::new("packages", &s3("HeadObject"), refused);
        shelf.world.faults.arm(fault);
        assert_eq!(shelf.commit("ann", &sent).await.status, 503);
        let key = shelf.upload(&sent.id).await.key.to_string();
        let (again, event, late) = (schedule(), created(KEY), created(&key));
        let reports = tokio::join!(
            shelf.reconcile(&again),
            shelf.reconcile(&again),
            shelf.reconcile(&event),
            shelf.reconcile(&late),
        );
        let reports = [reports.0, reports.1, reports.2, reports.3];
        let found = reports.iter().map(|it| it.found.len()).sum::<usize>();
        assert_eq!(found, 1, "{seed}: {reports:?}");
        assert!(
            reports.iter().any(|it| it.committed == 1),
            "{seed}: {reports:?}"
        );
        assert_eq!(
            shelf.package("model@2.0.0").await.unwrap().owner,
            "ann",
            "{seed}"
        );
        assert_eq!(shelf.s3().keys().len(), 2, "{seed}");
        shelf.reconcile(&schedule()).await;
        let package = shelf.package("model@v1.0").await.unwrap();
        assert_eq!(
            (package.state.as_str(), package.owner.as_str()),
            ("ready", "admin"),
            "{seed}"
        );
    }
}

#[tokio::test]
async fn an_archive_that_s3_does_not_show_is_told_and_without_the_tables_it_fails() {
    let shelf = Shelf::start().await;
    shelf.s3().put(KEY, &archive(10));
    let refused = Trouble::Refused(Refusal::AccessDenied);
    shelf
        .world
        .faults
        .arm(CallFault::new(SYNC, &s3("HeadObject"), refused));
    for event in [schedule(), created(KEY)] {
        let report = shelf.reconcile(&event).await;
        assert_eq!(report.problems[0].what, KEY, "{event}");
    }
    shelf.world.faults.clear();
    let get = Action {
        service: Service::DynamoDb,
        name: "GetItem".to_owned(),
    };
    shelf.world.faults.arm(CallFault::new(SYNC, &get, refused));
    for event in [schedule(), created(KEY)] {
        let failed = shelf.try_reconcile(&event).await.unwrap();
        assert!(failed.is_err(), "{event}");
    }
    shelf.world.faults.clear();
    assert_eq!(shelf.reconcile(&created(KEY)).await.found, ["model@v1.0"]);
}

#[tokio::test]
async fn what_is_no_event_of_its_own_is_refused() {
    let shelf = Shelf::start().await;
    let mut restored = created(KEY);
    restored["detail-type"] = json!("Object Restore Completed");
    shelf.s3().put(KEY, &archive(10));
    assert_eq!(shelf.reconcile(&restored).await, SyncReport::default());
    let mut keyless = created(KEY);
    keyless["detail"]["object"] = json!({});
    for event in [json!({}), json!({"source": "aws.ec2"}), json!("x"), keyless] {
        let refused = shelf.try_reconcile(&event).await.unwrap();
        assert!(refused.is_err(), "{event}");
    }
    let report = shelf
        .reconcile(&created("packages/%2e%2e/1.0.0/x.zip"))
        .await;
    assert_eq!(report.problems.len(), 1);
    assert_eq!(shelf.package("model@v1.0").await, None);
}
