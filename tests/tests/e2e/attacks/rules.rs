//! Rules that loop, explode, or cannot be read.

use http::StatusCode;
use serde_json::json;

use super::{Scene, archives::committed};
use crate::staging::archive::model;

pub(super) async fn that_never_end(scene: &mut Scene<'_>) {
    let numbers: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let numbers = numbers.join(",");
    let nested = |open: &str, close: &str, depth| {
        format!("{}true{}", open.repeat(depth), close.repeat(depth))
    };
    let rules = [
        format!("[{numbers}].all(a, [{numbers}].all(b, a + b >= 0))"),
        format!("[{numbers}].map(a, [{numbers}].map(b, [{numbers}])).size() > 0"),
        "user.groups.exists(a, user.groups.exists(b, user.groups.exists(c, a == b && b == c)))"
            .to_owned(),
        format!(
            "user.groups.all(g, ({}).size() > 0)",
            ["user.groups"; 150].join("+")
        ),
        format!("{} == ''", ["pkg.description"; 200].join("+")),
        format!("'{}!'.matches('(a+)+$')", "a".repeat(100)),
        nested("(", ")", 1500),
        nested("!(", ")", 1000),
        nested("[1].all(a, ", ")", 300),
        "a".repeat(4_097),
        "user.".to_owned(),
        "unknown_function(user)".to_owned(),
        "nobody.groups == []".to_owned(),
        String::new(),
    ];
    for rule in rules {
        let body = json!({"pkg_name": "ruled", "version": "1.0.0", "rule": rule});
        scene
            .try_post("a rule", "/init", &body, 400, "invalid_body")
            .await;
    }
    fails_for_everybody(scene).await;
}

/// A rule that can be read, and fails when it is asked: nobody gets the package.
async fn fails_for_everybody(scene: &mut Scene<'_>) {
    for (version, rule) in [
        ("1.0.0", "1 / 0 == 1"),
        ("2.0.0", "user.groups[7] == 'a'"),
        ("3.0.0", "user.name"),
    ] {
        let init = json!({"pkg_name": "ruled", "version": version, "rule": rule});
        let package = committed(&scene.victim, &init, &[&model("exit 0", &[])]).await;
        assert_eq!(package.status, StatusCode::OK, "{rule}: {}", package.text);
        let path = format!("/download/ruled/{version}");
        let answer = scene.mallory.get(&path).await;
        scene.refused(rule, &answer, 403, "download_blocked");
        let deleted = scene
            .victim
            .delete(&format!("/packages/ruled/{version}"))
            .await;
        assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    }
}
