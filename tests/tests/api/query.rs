//! Query strings and path parameters.

use haulout_tests::gateway::{Answer, GatewayEvent};

use super::support::{TOKEN, app};

async fn get(target: &str) -> Answer {
    GatewayEvent::get(target).token(TOKEN).send(&app()).await
}

#[tokio::test]
async fn parameters_arrive() {
    assert_eq!(get("/things").await.json()["limit"], 50);
    let answer = get("/things?limit=100&colour=blue").await;
    assert_eq!(answer.json()["limit"], 100);
    assert_eq!(answer.json()["colour"], "blue");
    assert_eq!(get("/things?").await.status, 200);
    assert_eq!(get("/things?&&").await.status, 200);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    for (query, words) in [
        ("limit=0", vec!["`limit`", "1 to 100"]),
        ("limit=101", vec!["`limit`", "1 to 100"]),
        ("limit=", vec!["`limit`"]),
        ("limit=ten", vec!["`limit`", "'ten'"]),
        ("limit=-1", vec!["`limit`"]),
        ("limit=99999999999999999999", vec!["`limit`"]),
        ("limit=1&limit=2", vec!["`limit`", "more than once"]),
        ("limit=1&l%69mit=2", vec!["`limit`", "more than once"]),
        ("colour=green", vec!["green", "`red`", "`blue`"]),
        ("lmit=5", vec!["`lmit`", "`colour`", "`limit`"]),
        ("=", vec!["unknown field"]),
        ("%ff=1", vec!["unknown field"]),
    ] {
        let answer = get(&format!("/things?{query}")).await;
        assert_eq!(answer.problem(400), "invalid_query", "{query}");
        for word in words {
            assert!(
                answer.detail().contains(word),
                "{query}: {}",
                answer.detail()
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_path_parameter_is_refused() {
    assert_eq!(get("/things/7").await.json()["id"], 7);
    for path in [
        "/things/seven",
        "/things/-1",
        "/things/99999999999",
        "/things/%FF",
        "/things/7 ",
    ] {
        assert_eq!(get(path).await.problem(400), "invalid_path", "{path}");
    }
}
