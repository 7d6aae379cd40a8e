//! Records and bucket compared: what was found, what is gone, what was cut off, and what is left alone.

use haulout_tests::{
    call::{Action, Refusal, Service},
    callers::TOKEN,
    faults::{CallFault, Trouble},
    settings::Settings,
};
use serde_json::{Value, json};

use super::support::{Shelf, archive, version};

/// All of one field, over all calls.
fn all<'a>(reports: &'a [Value], field: &str) -> Vec<&'a str> {
    let lists = reports.iter().flat_map(|it| it[field].as_array().unwrap());
    lists.map(|it| it.as_str().unwrap()).collect()
}

#[tokio::test]
async fn where_all_is_well_nothing_happens() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    shelf.sent("ann", &version("2.0.0"), &archive(1)).await;
    let before = shelf.package("model@1.0.0").await;
    let reports = shelf.sync().await;
    assert_eq!(reports.len(), 1);
    for (field, value) in reports[0].as_object().unwrap() {
        assert!(
            [json!(0), json!([]), Value::Null].contains(value),
            "{field}: {value}"
        );
    }
    assert_eq!(shelf.package("model@1.0.0").await, before);
    assert_eq!(shelf.s3().uploads(), 1);
    for who in ["ann", "operator", "reader"] {
        let answer = shelf.post(who, "/packages/sync", &json!({})).await;
        assert_eq!(answer.problem(403), "forbidden", "{who}");
    }
}

#[tokio::test]
async fn an_archive_without_a_record_becomes_one_that_nobody_else_gets() {
    let shelf = Shelf::start().await;
    shelf
        .s3()
        .put("packages/model/1.0.0/package.zip", &archive(10));
    shelf.s3().put(
        "packages/bad/1.0.0/package.zip",
        b"no archive at all, this is",
    );
    shelf.s3().put("packages/stray.txt", b"hello");
    shelf
        .s3()
        .put("elsewhere/model/1.0.0/package.zip", &archive(10));
    let reports = shelf.sync().await;
    assert_eq!(all(&reports, "found"), ["bad@1.0.0", "model@1.0.0"]);
    assert_eq!(reports[0]["problems"][0]["what"], "packages/stray.txt");
    let found = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(
        (
            found.state.as_str(),
            found.is_sensitive,
            found.owner.as_str()
        ),
        ("unverified", true, "admin")
    );
    for who in ["bob", TOKEN] {
        let answer = shelf.get(who, "/download/model/1.0.0").await;
        assert_eq!(answer.problem(403), "download_blocked", "{who}");
    }
    // The next one looks into it.
    let reports = shelf.sync().await;
    assert_eq!(all(&reports, "found"), [""; 0]);
    assert_eq!(all(&reports, "verified"), ["model@1.0.0"]);
    let problems = reports[0]["problems"].as_array().unwrap();
    assert!(
        problems.iter().any(|it| it["what"] == "bad@1.0.0"),
        "{problems:?}"
    );
    let seen = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(
        (seen.state.as_str(), seen.is_sensitive, seen.entries),
        ("ready", true, 2)
    );
    assert_eq!(shelf.get("bob", "/download/model/1.0.0").await.status, 403);
    assert_eq!(shelf.get(TOKEN, "/download/model/1.0.0").await.status, 200);
    let bad = shelf.package("bad@1.0.0").await.unwrap();
    assert_eq!(bad.state.as_str(), "unverified");
}

#[tokio::test]
async fn a_record_without_an_archive_is_missing_until_it_is_back() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    let key = shelf.s3().keys().remove(0);
    let bytes = shelf.s3().object(&key).unwrap();
    shelf.s3().remove(&key);
    assert_eq!(all(&shelf.sync().await, "missing"), ["model@1.0.0"]);
    assert_eq!(all(&shelf.sync().await, "missing"), [""; 0]);
    assert_eq!(
        shelf.package("model@1.0.0").await.unwrap().state.as_str(),
        "missing"
    );
    shelf.s3().put(&key, &bytes);
    assert_eq!(all(&shelf.sync().await, "verified"), ["model@1.0.0"]);
    let package = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(
        (package.state.as_str(), package.is_sensitive),
        ("ready", false)
    );
    assert_eq!(shelf.get("bob", "/download/model/1.0.0").await.status, 200);
}

#[tokio::test]
async fn an_object_of_an_upload_under_way_is_never_found() {
    let shelf = Shelf::start().await;
    // Put together, and then nothing worked any more.
    let sent = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    let head = Action {
        service: Service::S3,
        name: "HeadObject".to_owned(),
    };
    let refused = Trouble::Refused(Refusal::ServerError);
    shelf
        .world
        .faults
        .arm(CallFault::new("packages", &head, refused));
    assert_eq!(shelf.commit("ann", &sent).await.problem(503), "unavailable");
    assert_eq!(shelf.s3().keys().len(), 1);
    let report = shelf.post(TOKEN, "/packages/sync", &json!({})).await.json();
    // It could not be finished, and it is nobody else's.
    assert_eq!(report["problems"][0]["what"], sent.id.as_str());
    assert_eq!(
        (&report["found"], &report["deleted"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(shelf.package("model@1.0.0").await, None);
    shelf.world.faults.clear();
    let reports = shelf.sync().await;
    assert_eq!(
        (&reports[0]["committed"], &reports[0]["found"]),
        (&json!(1), &json!([]))
    );
    let package = shelf.package("model@1.0.0").await.unwrap();
    assert_eq!(
        (package.owner.as_str(), package.is_sensitive),
        ("ann", false)
    );
}

#[tokio::test]
async fn what_failed_uploads_left_behind_is_deleted_and_not_found() {
    let shelf = Shelf::start().await;
    let mut body = version("1.0.0");
    body["sha256"] = json!("ab".repeat(32));
    let sent = shelf.sent("ann", &body, &archive(10)).await;
    let delete = Action {
        service: Service::S3,
        name: "DeleteObject".to_owned(),
    };
    let refused = Trouble::Refused(Refusal::ServerError);
    shelf
        .world
        .faults
        .arm(CallFault::new("packages", &delete, refused));
    assert_eq!(
        shelf.commit("ann", &sent).await.problem(400),
        "package_refused"
    );
    shelf.world.faults.clear();
    assert_eq!(shelf.s3().keys().len(), 1);
    let reports = shelf.sync().await;
    assert_eq!(
        (&reports[0]["deleted"], &reports[0]["found"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(shelf.s3().keys().len(), 0);
}

#[tokio::test]
async fn uploads_whose_time_is_over_are_given_up() {
    let shelf = Shelf::start().await;
    let old = shelf.sent("ann", &version("1.0.0"), &archive(10)).await;
    shelf.jump(23);
    let young = shelf.sent("ann", &version("2.0.0"), &archive(10)).await;
    assert_eq!(shelf.sync().await[0]["expired"], 0);
    shelf.jump(1);
    assert_eq!(shelf.sync().await[0]["expired"], 1);
    assert_eq!(shelf.upload(&old.id).await.status.as_str(), "aborted");
    assert_eq!(shelf.upload(&young.id).await.status.as_str(), "open");
    assert_eq!(shelf.s3().uploads(), 1);
    assert_eq!(shelf.sync().await[0]["expired"], 0);
}

#[tokio::test]
async fn a_second_archive_of_a_version_is_told_and_left() {
    let shelf = Shelf::start().await;
    shelf.published("ann", &version("1.0.0")).await;
    shelf
        .s3()
        .put("packages/model/1.0.0/other.zip", &archive(10));
    let reports = shelf.sync().await;
    assert_eq!(
        reports[0]["problems"][0]["what"],
        "packages/model/1.0.0/other.zip"
    );
    assert_eq!(shelf.s3().keys().len(), 2);
}

#[tokio::test]
async fn much_work_is_done_in_several_calls() {
    let bounds = haulout_packages::Settings {
        sync_items: 2,
        ..haulout_packages::Settings::default()
    };
    let shelf = Shelf::start_with(Settings::default(), bounds).await;
    shelf.s3().page_by(3);
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
    let reports = shelf.sync().await;
    assert!(reports.len() > 5, "{}", reports.len());
    assert_eq!(all(&reports, "found").len(), 5);
    assert_eq!(all(&reports, "missing"), ["model@1.0.3"]);
    let expired: u64 = reports
        .iter()
        .map(|it| it["expired"].as_u64().unwrap())
        .sum();
    assert_eq!(expired, 5);
    let wrong = shelf
        .post(TOKEN, "/packages/sync", &json!({"cursor": "x"}))
        .await;
    assert_eq!(wrong.problem(400), "invalid_cursor");
}

#[tokio::test]
async fn one_archive_that_s3_does_not_show_is_told_and_the_others_are_dealt_with() {
    for name in ["HeadObject", "GetObject"] {
        let shelf = Shelf::start().await;
        for number in 0..3 {
            let key = format!("packages/found/1.0.{number}/package.zip");
            shelf.s3().put(&key, &archive(10));
        }
        shelf.sync().await;
        let action = Action {
            service: Service::S3,
            name: name.to_owned(),
        };
        let refused = Trouble::Refused(Refusal::AccessDenied);
        let fault = CallFault {
            times: 1,
            ..CallFault::new("packages", &action, refused)
        };
        shelf.world.faults.arm(fault);
        let report = shelf.post(TOKEN, "/packages/sync", &json!({})).await.json();
        let told = report["problems"].as_array().unwrap();
        assert_eq!(told.len(), 1, "{name}: {report}");
        assert_eq!(told[0]["what"], "found@1.0.0", "{name}");
        let problem = told[0]["problem"].as_str().unwrap();
        assert!(problem.contains("AccessDenied"), "{name}: {problem}");
        assert_eq!(
            (&report["verified"], &report["next_cursor"]),
            (&json!(["found@1.0.1", "found@1.0.2"]), &Value::Null),
            "{name}"
        );
        // The next one finds it well.
        assert_eq!(all(&shelf.sync().await, "verified"), ["found@1.0.0"]);
    }
}

#[tokio::test]
async fn an_archive_without_a_record_that_s3_does_not_show_is_found_later() {
    let shelf = Shelf::start().await;
    for number in 0..2 {
        let key = format!("packages/found/1.0.{number}/package.zip");
        shelf.s3().put(&key, &archive(10));
    }
    let head = Action {
        service: Service::S3,
        name: "HeadObject".to_owned(),
    };
    let refused = Trouble::Refused(Refusal::AccessDenied);
    let fault = CallFault {
        times: 1,
        ..CallFault::new("packages", &head, refused)
    };
    shelf.world.faults.arm(fault);
    let report = shelf.post(TOKEN, "/packages/sync", &json!({})).await.json();
    assert_eq!(
        (&report["found"], &report["problems"][0]["what"]),
        (
            &json!(["found@1.0.1"]),
            &json!("packages/found/1.0.0/package.zip")
        )
    );
    assert_eq!(all(&shelf.sync().await, "found"), ["found@1.0.0"]);
}

#[tokio::test]
async fn without_the_tables_nothing_can_be_told_and_it_ends() {
    let shelf = Shelf::start().await;
    for number in 0..3 {
        let key = format!("packages/found/1.0.{number}/package.zip");
        shelf.s3().put(&key, &archive(10));
    }
    shelf.sync().await;
    for (service, name) in [
        (Service::DynamoDb, "GetItem"),
        (Service::DynamoDb, "Query"),
        (Service::S3, "ListObjectsV2"),
    ] {
        let action = Action {
            service,
            name: name.to_owned(),
        };
        let refused = Trouble::Refused(Refusal::ServerError);
        let fault = CallFault::new("packages", &action, refused);
        shelf.world.faults.arm(fault);
        let answer = shelf.post(TOKEN, "/packages/sync", &json!({})).await;
        assert_eq!(answer.problem(503), "unavailable", "{name}");
        shelf.world.faults.clear();
    }
}
