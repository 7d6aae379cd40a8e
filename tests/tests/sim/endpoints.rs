//! The simulator's own endpoints, and what its door refuses.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{Lab, code, seeded};

/// Status and body.
async fn call(
    method: &str,
    url: String,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let answer = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn sim(lab: &Lab, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, text) = call(method, format!("{}/_sim/{path}", lab.sim.url()), &[], &body).await;
    (status.as_u16(), serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn the_state_shows_machines_commands_and_calls() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.online("token").await;
    let command = lab.send(&id, &["echo hi"]).await;
    let (status, state) = sim(&lab, "GET", "state", &Value::Null).await;
    assert_eq!(status, 200);
    let machine = &state["machines"][0];
    assert_eq!(machine["instance_id"], json!(id));
    assert_eq!(machine["state"], "running");
    assert_eq!(machine["client_token"], "token");
    assert_eq!(machine["agent"], "online");
    assert_eq!(machine["tags"]["aws:ec2launchtemplate:version"], "1");
    assert_eq!(state["commands"][0]["command_id"], json!(command));
    assert_eq!(state["commands"][0]["text"], "echo hi");
    assert_eq!(
        state["calls"],
        json!({ "ec2": { "RunInstances": 1 }, "ssm": { "SendCommand": 1 } })
    );
}

#[tokio::test]
async fn faults_are_armed_listed_and_cleared() {
    let lab = Lab::new(|_| {}).await;
    let fault = json!({ "service": "ec2", "action": "RunInstances", "error": "RequestLimitExceeded", "times": 2 });
    assert_eq!(sim(&lab, "POST", "faults", &fault).await.0, 201);
    let launch = || {
        lab.ec2
            .run_instances()
            .launch_template(seeded())
            .min_count(1)
            .max_count(1)
            .send()
    };
    assert_eq!(code(launch().await), "RequestLimitExceeded");
    let (_, list) = sim(&lab, "GET", "faults", &Value::Null).await;
    assert_eq!(list["faults"][0]["times"], 1);
    assert_eq!(
        sim(&lab, "DELETE", "faults", &Value::Null).await,
        (200, json!({ "faults": [] }))
    );
    launch().await.unwrap();
    let (status, error) = sim(
        &lab,
        "POST",
        "faults",
        &json!({ "service": "ec2", "actoin": "x", "action": "*" }),
    )
    .await;
    assert_eq!((status, &error["field"]), (400, &json!("actoin")));
    assert_eq!(sim(&lab, "POST", "faults", &json!([1])).await.0, 400);
}

#[tokio::test]
async fn capacity_is_set_and_machines_are_interrupted_over_http() {
    let lab = Lab::new(|_| {}).await;
    let none = json!([{ "zone": "*", "instance_type": "*", "limit": 0 }]);
    assert_eq!(sim(&lab, "PUT", "capacity", &none).await.0, 200);
    let launch = || {
        lab.ec2
            .run_instances()
            .launch_template(seeded())
            .min_count(1)
            .max_count(1)
            .send()
    };
    assert_eq!(code(launch().await), "InsufficientInstanceCapacity");
    assert_eq!(
        sim(&lab, "PUT", "capacity", &json!([{ "zone": "*" }]))
            .await
            .0,
        400
    );
    assert_eq!(sim(&lab, "PUT", "capacity", &json!([])).await.0, 200);
    let price = json!([{ "zone": "*", "instance_type": "*", "price": "0.5" }]);
    for (path, good, bad) in [
        ("spot-prices", price, json!([{ "zone": "*" }])),
        ("spot-limit", json!(2), json!("two")),
        ("spot-limit", json!(9), json!(-1)),
        ("addresses", json!({ "subnet-1": 0 }), json!([])),
    ] {
        assert_eq!(sim(&lab, "PUT", path, &good).await.0, 200, "{path}");
        assert_eq!(sim(&lab, "PUT", path, &bad).await.0, 400, "{path}");
    }
    let id = lab.online("t").await;
    assert_eq!(
        sim(&lab, "POST", &format!("interrupt/{id}"), &Value::Null)
            .await
            .0,
        409
    );
    assert_eq!(
        sim(&lab, "POST", "interrupt/i-1", &Value::Null).await.0,
        404
    );
    assert_eq!(sim(&lab, "GET", "nothing", &Value::Null).await.0, 404);
    assert_eq!(sim(&lab, "POST", "state", &Value::Null).await.0, 405);
}

#[tokio::test]
async fn web_pages_are_refused() {
    let lab = Lab::new(|_| {}).await;
    let form = "Action=DescribeInstances&Version=2016-11-15";
    let url = || lab.sim.url() + "/";
    let port = url()
        .trim_end_matches('/')
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    assert_eq!(call("POST", url(), &[], form).await.0, 200);
    assert_eq!(
        call(
            "POST",
            url(),
            &[("host", &format!("localhost:{port}"))],
            form
        )
        .await
        .0,
        200
    );
    assert_eq!(
        call("POST", url(), &[("origin", "http://evil.example")], form)
            .await
            .0,
        403
    );
    assert_eq!(
        call(
            "POST",
            url(),
            &[("host", &format!("evil.example:{port}"))],
            form
        )
        .await
        .0,
        403
    );
    assert_eq!(
        call("POST", url() + "_sim/faults", &[("origin", "null")], "{}")
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn nonsense_is_answered_in_the_services_own_words() {
    let lab = Lab::new(|_| {}).await;
    let post = async |headers: &[(&str, &str)], body: &str| {
        call("POST", lab.sim.url() + "/", headers, body).await
    };
    let (status, text) = post(&[], "Action=LaunchRockets&Version=2016-11-15").await;
    assert_eq!(status, 400);
    assert!(
        text.contains("<Code>InvalidAction</Code>") && text.contains("LaunchRockets"),
        "{text}"
    );
    let (status, text) = post(&[("x-amz-target", "AmazonSSM.LaunchRockets")], "{}").await;
    assert_eq!(status, 400);
    assert!(text.contains("UnknownOperationException"), "{text}");
    assert_eq!(
        post(&[("x-amz-target", "AmazonSSM.ListCommands")], "[]")
            .await
            .0,
        400
    );
    assert_eq!(
        post(&[("x-amz-target", "AmazonSSM.ListCommands")], "{")
            .await
            .0,
        400
    );
    assert_eq!(post(&[], "").await.0, 400);
    assert_eq!(
        post(&[], "Action=DescribeInstances&Colour=red").await.0,
        400
    );
    let balancer = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/elasticloadbalancing/aws4_request, SignedHeaders=host";
    let (status, text) = post(
        &[("authorization", balancer)],
        "Action=DescribeLoadBalancers&Version=2015-12-01",
    )
    .await;
    assert_eq!(status, 404);
    assert!(text.contains("elasticloadbalancing"), "{text}");
    let large = format!(
        "Action=DescribeInstances&X={}",
        "x".repeat(3 * 1_024 * 1_024)
    );
    assert_eq!(post(&[], &large).await.0, 413);
}
