//! What there is, who sees it, and its end.

use haulout_tests::callers::TOKEN;
use serde_json::{Value, json};

use super::support::{Shelf, version};

fn names(list: &Value) -> Vec<String> {
    let packages = list["packages"].as_array().unwrap();
    let name = |it: &Value| it["package"].as_str().unwrap().to_owned();
    packages.iter().map(name).collect()
}

#[tokio::test]
async fn packages_are_listed_by_name_and_version_in_pages() {
    let shelf = Shelf::start().await;
    for (name, number) in [
        ("b", "2.0.0"),
        ("a", "1.0.0"),
        ("b", "1.0.0"),
        ("c", "v1"),
        ("a-b", "1.0.0"),
    ] {
        let body = json!({"pkg_name": name, "version": number});
        shelf.published("ann", &body).await;
    }
    let all = shelf.get("bob", "/packages").await.json();
    let mut expected = names(&all);
    expected.sort_unstable();
    assert_eq!(names(&all), expected);
    assert_eq!((names(&all).len(), &all["next_cursor"]), (5, &Value::Null));
    let mut seen = Vec::new();
    let mut path = "/packages?limit=2".to_owned();
    loop {
        let page = shelf.get("bob", &path).await.json();
        assert!(names(&page).len() <= 2);
        seen.extend(names(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/packages?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, expected);
    let wrong = shelf.get("bob", "/packages?cursor=x").await;
    assert_eq!(wrong.problem(400), "invalid_cursor");
    assert_eq!(
        shelf.get("nobody", "/packages").await.problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn what_is_restricted_is_seen_by_those_who_could_get_it_and_those_who_see_all() {
    let shelf = Shelf::start().await;
    let mut secret = version("1.0.0");
    secret["is_sensitive"] = json!(true);
    shelf.published("ann", &secret).await;
    let mut research = version("2.0.0");
    research["allowed_groups"] = json!(["research"]);
    shelf.published("ann", &research).await;
    shelf.published("ann", &version("3.0.0")).await;
    for (who, expected) in [
        ("ann", &["1.0.0", "2.0.0", "3.0.0"][..]),
        ("reader", &["1.0.0", "2.0.0", "3.0.0"]),
        (TOKEN, &["1.0.0", "2.0.0", "3.0.0"]),
        ("carol", &["2.0.0", "3.0.0"]),
        ("bob", &["3.0.0"]),
    ] {
        let list = shelf.get(who, "/packages?limit=1").await.json();
        let first = expected[0];
        assert_eq!(names(&list), [format!("model@{first}")], "{who}");
        let list = shelf.get(who, "/packages").await.json();
        let expected: Vec<_> = expected.iter().map(|it| format!("model@{it}")).collect();
        assert_eq!(names(&list), expected, "{who}");
        for version in ["1.0.0", "2.0.0", "3.0.0"] {
            let answer = shelf.get(who, &format!("/packages/model/{version}")).await;
            if expected.contains(&format!("model@{version}")) {
                assert_eq!(answer.json()["version"], version, "{who}");
            } else {
                assert_eq!(answer.problem(403), "not_yours", "{who}");
            }
        }
    }
}

#[tokio::test]
async fn a_package_is_deleted_by_its_owner_or_an_operator() {
    let shelf = Shelf::start().await;
    let path = "/packages/model/1.0.0";
    for who in ["ann", "operator", TOKEN] {
        shelf.published("ann", &version("1.0.0")).await;
        assert_eq!(shelf.delete("bob", path).await.problem(403), "not_yours");
        assert_eq!(shelf.delete("reader", path).await.problem(403), "forbidden");
        assert_eq!(shelf.s3().keys().len(), 1);
        let answer = shelf.delete(who, path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["package"], "model@1.0.0");
        assert_eq!(shelf.s3().keys().len(), 0);
        assert_eq!(shelf.get("ann", path).await.problem(404), "unknown_package");
        assert_eq!(
            shelf.delete(who, path).await.problem(404),
            "unknown_package"
        );
    }
    for path in ["/packages/..x/1.0.0", "/packages/model/newest"] {
        assert_eq!(shelf.get("ann", path).await.problem(400), "invalid_path");
    }
}
