//! The second API: who signs is somebody there, and nobody anywhere else.

use std::{collections::BTreeMap, fs, path::Path};

use haulout_domain::access::Role;
use haulout_tests::gateway::{API_ID, GatewayEvent, SERVICE_API_ID};
use serde_json::json;

use super::{
    audit::entries,
    doors::{door, request},
    support::{House, operations},
};

const ROLE_ARN: &str = "arn:aws:sts::123456789012:assumed-role/Deployer/session";

fn signed(event: GatewayEvent) -> GatewayEvent {
    event.through(SERVICE_API_ID).signed_by(ROLE_ARN)
}

#[tokio::test]
async fn a_service_gets_in_where_its_role_opens_and_nowhere_else() {
    for (who, role) in [
        ('r', Role::Reader),
        ('u', Role::User),
        ('o', Role::Operator),
        ('a', Role::Admin),
    ] {
        let house = House::with_services(Some(role)).await;
        for (method, path) in operations() {
            let (place, admitted) = (format!("{method} {path}"), door(&method, &path));
            let answer = house.send(signed(request(&method, &path))).await;
            if admitted == "*" || admitted.contains(who) {
                assert_eq!(answer.status, 204, "{who} at {place}: {}", answer.text());
            } else {
                assert_eq!(answer.problem(403), "forbidden", "{who} at {place}");
            }
        }
    }
}

#[tokio::test]
async fn on_the_second_api_a_token_counts_for_nothing_and_nothing_is_public() {
    let house = House::with_services(Some(Role::Admin)).await;
    let token = house.log_in("ann", &[Role::Admin]).await;
    for (method, path) in operations() {
        let place = format!("{method} {path}");
        let through = request(&method, &path).through(SERVICE_API_ID);
        for event in [through.clone(), through.token(&token)] {
            let answer = house.send(event).await;
            assert_eq!(answer.problem(401), "missing_token", "{place}");
            assert_eq!(
                answer.header("www-authenticate"),
                "AWS4-HMAC-SHA256",
                "{place}"
            );
        }
    }
    assert_eq!(house.me(&token).await.status, 204);
}

/// The field is API Gateway's own; what a client can write is path, query, headers and body.
#[tokio::test]
async fn on_the_first_api_nobody_is_a_service_whatever_is_sent() {
    let house = House::with_services(Some(Role::Admin)).await;
    let iam = json!({"iam": {"userArn": ROLE_ARN, "accountId": "123456789012"}});
    let context = json!({"apiId": SERVICE_API_ID, "authorizer": iam});
    let forged = json!({"requestContext": context, "authorizer": iam}).to_string();
    let get = || GatewayEvent::get("/users");
    let query =
        format!("/users?apiId={SERVICE_API_ID}&requestContext={context}&userArn={ROLE_ARN}");
    let mut tries = vec![
        (
            "body",
            GatewayEvent::post("/users", forged.clone()).method("GET"),
        ),
        ("query", GatewayEvent::get(&query)),
        // Should API Gateway ever put it there on the first API, or on one that nobody here knows of.
        ("field", get().signed_by(ROLE_ARN)),
        (
            "field of a third API",
            get().through("z9z9z9z9z9").signed_by(ROLE_ARN),
        ),
        ("field of no API", get().through("").signed_by(ROLE_ARN)),
    ];
    for (name, value) in [
        ("x-amzn-requestcontext", forged.as_str()),
        ("x-amzn-request-context", &forged),
        ("requestcontext", &forged),
        ("x-apigateway-event", &forged),
        ("x-amzn-iam-user-arn", ROLE_ARN),
        ("authorizer", &forged),
        (
            "x-forwarded-host",
            "s2e3r4v5i6.execute-api.us-east-1.amazonaws.com",
        ),
        ("host", "s2e3r4v5i6.execute-api.us-east-1.amazonaws.com"),
    ] {
        tries.push((name, get().header(name, value)));
    }
    for (what, event) in tries {
        let answer = house.send(event).await;
        assert_eq!(answer.problem(401), "missing_token", "{what}");
    }
    let sigv4 = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00";
    let answer = house.send(get().header("authorization", sigv4)).await;
    assert_eq!(answer.problem(401), "invalid_token");
    // The same through the right door, by whom it should be.
    let answer = house.send(signed(get()).through(API_ID)).await;
    assert_eq!(answer.problem(401), "missing_token");
    assert_eq!(house.send(signed(get())).await.status, 204);
}

#[tokio::test]
async fn without_a_second_api_nobody_is_a_service() {
    let house = House::with_services(None).await;
    let answer = house.send(signed(GatewayEvent::get("/me"))).await;
    assert_eq!(answer.problem(401), "missing_token");
}

#[tokio::test]
async fn identities_that_are_neither_roles_nor_iam_users_of_the_account_are_refused() {
    let house = House::with_services(Some(Role::Admin)).await;
    for arn in [
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:federated-user/admin",
        "arn:aws:sts::123456789012:assumed-role/Deployer",
        "arn:aws:iam::999999999999:user/ci",
        "arn:aws:sts::999999999999:assumed-role/Deployer/session",
        "admin",
        "",
    ] {
        let event = GatewayEvent::get("/me").through(SERVICE_API_ID);
        let answer = house.send(event.signed_by(arn)).await;
        assert_eq!(answer.problem(403), "forbidden", "{arn}");
    }
}

#[tokio::test]
async fn what_a_service_changes_is_written_down_under_its_name() {
    let house = House::with_services(Some(Role::Operator)).await;
    let event = GatewayEvent::new("DELETE", "/instances/m-1");
    assert_eq!(house.send(signed(event)).await.status, 204);
    let kept = entries(&house);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((kept[0].0.as_str(), kept[0].3), ("iam:role:deployer", 204));
}

/// The routes of one of the template's APIs: by key, the function behind each and its authorization.
fn routes(api: &str) -> BTreeMap<String, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = fs::read_to_string(path).unwrap();
    let mut routes = BTreeMap::new();
    for resource in text.split("Type: AWS::ApiGatewayV2::Route\n").skip(1) {
        let value = |name: &str| {
            let lines = resource.lines().take(6);
            let mut values = lines.filter_map(|line| line.trim().strip_prefix(name));
            values.next().unwrap_or_default().to_owned()
        };
        if value("ApiId: !Ref ") == api {
            let target = value("Target: !Sub integrations/");
            let function = target
                .trim_start_matches("${Service")
                .trim_start_matches("${");
            let entry = (function.to_owned(), value("AuthorizationType: "));
            routes.insert(value("RouteKey: "), entry);
        }
    }
    routes
}

/// The key of the second API's that takes an operation: the longest path that fits (API Gateway Developer Guide, "Create
/// routes for HTTP APIs").
fn taken_by<'a>(
    keys: impl Iterator<Item = &'a String>,
    method: &str,
    path: &str,
) -> Option<&'a String> {
    let fits = |key: &&String| {
        let Some((its_method, its_path)) = key.split_once(' ') else {
            return false;
        };
        let below = its_path.strip_suffix("{proxy+}");
        (its_method == "ANY" || its_method == method)
            && (its_path == path || below.is_some_and(|start| path.starts_with(start)))
    };
    keys.filter(fits).max_by_key(|key| key.len())
}

#[test]
fn the_second_api_leads_every_operation_to_the_same_function_and_all_by_signature() {
    let (first, second) = (routes("HttpApi"), routes("ServiceHttpApi"));
    assert!(
        first.len() > 40 && second.len() > 20,
        "{} {}",
        first.len(),
        second.len()
    );
    assert!(
        first
            .values()
            .all(|(_, authorization)| authorization.is_empty())
    );
    for (key, (_, authorization)) in &second {
        assert_eq!(authorization, "AWS_IAM", "{key}");
    }
    for (method, path) in operations() {
        let Some((function, _)) = first.get(&format!("{method} {path}")) else {
            panic!("the first API does not route {method} {path}");
        };
        let key = taken_by(second.keys(), &method, &path).map_or("$default", String::as_str);
        assert_eq!(&second[key].0, function, "{method} {path} by {key}");
    }
}
