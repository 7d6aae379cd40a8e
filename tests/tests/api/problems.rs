//! Problems: their form, and what they must not say.

use std::collections::BTreeSet;

use haulout_api::{Code, Problem};
use haulout_aws::error::AwsError;
use haulout_tests::gateway::GatewayEvent;

use super::support::{TOKEN, app};

#[test]
fn codes_are_distinct_and_have_the_statuses_the_interface_knows() {
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    for code in Code::ALL {
        let status = code.status().as_u16();
        assert!(
            [400, 401, 403, 404, 405, 409, 410, 413, 415, 429, 500, 503].contains(&status),
            "{code:?}"
        );
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = app();
    for (method, path) in [
        ("GET", "/nowhere"),
        ("POST", "/"),
        ("DELETE", "/things/7/8"),
        ("GET", "/things/"),
        ("GET", "//things"),
        ("BREW", "/coffee"),
    ] {
        let answer = GatewayEvent::new(method, path)
            .token(TOKEN)
            .send(&app)
            .await;
        assert_eq!(answer.problem(404), "unknown_path", "{method} {path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "BREW"] {
        let answer = GatewayEvent::new(method, "/things")
            .token(TOKEN)
            .send(&app)
            .await;
        assert_eq!(answer.problem(405), "method_not_allowed", "{method}");
        assert_eq!(answer.header("allow"), "POST,GET,HEAD", "{method}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let app = app();
    for (path, status) in [
        ("/things", 200),
        ("/things?limit=0", 400),
        ("/nowhere", 404),
        ("/fails", 500),
    ] {
        let answer = GatewayEvent::new("HEAD", path)
            .token(TOKEN)
            .send(&app)
            .await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.is_empty(), "{path}: {}", answer.text());
        assert!(answer.header("content-type").contains("json"), "{path}");
    }
}

#[tokio::test]
async fn a_fault_of_ours_says_nothing_of_its_cause() {
    let app = app();
    for path in ["/fails", "/panics"] {
        let answer = GatewayEvent::get(path).token(TOKEN).send(&app).await;
        assert_eq!(answer.problem(500), "internal", "{path}");
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
    // And the function goes on.
    assert_eq!(GatewayEvent::get("/health").send(&app).await.status, 200);
}

#[tokio::test]
async fn a_problem_keeps_its_headers() {
    let answer = GatewayEvent::get("/throttled")
        .token(TOKEN)
        .send(&app())
        .await;
    assert_eq!(answer.problem(503), "aws_throttled");
    assert_eq!(answer.header("retry-after"), "7");
}

#[tokio::test]
async fn every_answer_is_named_and_kept_from_caches_and_guesses() {
    let app = app();
    for path in ["/health", "/things", "/nowhere"] {
        let answer = GatewayEvent::get(path).send(&app).await;
        assert_eq!(
            answer.header("x-request-id"),
            haulout_tests::gateway::REQUEST_ID
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[test]
fn an_aws_failure_is_worth_repeating_or_ours() {
    let problem = Problem::from(AwsError::incomplete("DescribeInstances", "Reservations"));
    assert_eq!(problem.code(), Code::Unavailable);
    assert!(!problem.detail().contains("DescribeInstances"));
    assert!(
        problem
            .cause()
            .unwrap()
            .to_string()
            .contains("DescribeInstances")
    );
}
