//! The front door before a stand-in for the deployed API, which answers with what it was sent.

use axum::Json;
use axum::routing::any;
use hyper::Method;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

use super::*;

struct Setting {
    port: u16,
    http: Http,
    door: Option<FrontDoor>,
}

impl Setting {
    /// A door before `endpoint`, or before the stand-in.
    async fn new(endpoint: Option<&str>) -> Self {
        let http = Http::new();
        let endpoint = match endpoint {
            Some(endpoint) => endpoint.to_owned(),
            None => stand_in().await,
        };
        let (listener, _) = bind(0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let door = FrontDoor::open(listener, http.clone(), &endpoint, "abc").unwrap();
        Self {
            port,
            http,
            door: Some(door),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Response<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        self.http.send(request, PATIENCE).await.unwrap()
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.send(Method::GET, "/instances", headers, Bytes::new())
            .await
    }

    fn named(&self, name: &str) -> String {
        format!("{name}:{}", self.port)
    }
}

/// Answers with what it was sent.
async fn stand_in() -> String {
    async fn echo(request: axum::extract::Request) -> Response<axum::body::Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let headers: serde_json::Map<String, Value> = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        let told = json!({
            "method": head.method.as_str(),
            "uri": head.uri.to_string(),
            "headers": headers,
            "bytes": body.len(),
        });
        let mut response =
            axum::response::IntoResponse::into_response((StatusCode::ACCEPTED, Json(told)));
        response
            .headers_mut()
            .insert("location", "/instances/m-1".parse().unwrap());
        response
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(echo))).await });
    format!("http://{address}")
}

fn json_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn a_request_is_passed_on_as_it_is() {
    let setting = Setting::new(None).await;
    let headers = [
        ("authorization", "Bearer t"),
        ("prefer", "wait=5"),
        ("connection", "x-mine, close"),
        ("x-mine", "1"),
        ("te", "trailers"),
    ];
    let path = "/instances/a%2Fb?status=x%20y&status=z";
    let response = setting
        .send(Method::PATCH, path, &headers, "hello".into())
        .await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["location"], "/instances/m-1");
    let told = json_of(&response);
    assert_eq!(told["method"], "PATCH");
    assert_eq!(told["uri"], format!("/_aws/execute-api/abc/$default{path}"));
    assert_eq!(told["bytes"], 5);
    assert_eq!(told["headers"][AUTHORIZATION.as_str()], "Bearer t");
    assert_eq!(told["headers"]["prefer"], "wait=5");
    assert_eq!(told["headers"]["host"], setting.named("127.0.0.1"));
    for name in ["connection", "x-mine", "te"] {
        assert_eq!(
            told["headers"][name],
            Value::Null,
            "{name} belongs to the connection"
        );
    }
}

#[tokio::test]
async fn only_names_of_this_computer_are_answered() {
    let setting = Setting::new(None).await;
    for name in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
        let response = setting.get(&[("host", &setting.named(name))]).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{name}");
    }
    let others = [
        setting.named("rebound.example"),
        "localhost".into(),
        "127.0.0.1:1".into(),
        String::new(),
    ];
    for host in others {
        let response = setting.get(&[("host", &host)]).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{host}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(json_of(&response)["code"], "foreign_host");
    }
    let twice = [
        ("host", setting.named("localhost")),
        ("host", "rebound.example".into()),
    ];
    let response = setting
        .get(
            &twice
                .each_ref()
                .map(|(name, value)| (*name, value.as_str())),
        )
        .await;
    assert!(response.status().is_client_error(), "two names are none");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let setting = Setting::new(None).await;
    let own = format!("http://{}", setting.named("localhost"));
    assert_eq!(
        setting.get(&[("origin", &own)]).await.status(),
        StatusCode::ACCEPTED
    );
    let https = format!("https://{}", setting.named("localhost"));
    for origin in [
        "https://pages.example",
        "null",
        "http://localhost:1",
        "",
        &https,
    ] {
        let response = setting.get(&[("origin", origin)]).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(json_of(&response)["code"], "foreign_origin");
    }
}

#[tokio::test]
async fn a_body_may_have_ten_megabytes() {
    let setting = Setting::new(None).await;
    let most = Bytes::from(vec![b'x'; MAX_BODY]);
    let response = setting.send(Method::POST, "/instances", &[], most).await;
    assert_eq!(json_of(&response)["bytes"], MAX_BODY);
    let more = Bytes::from(vec![b'x'; MAX_BODY + 1]);
    let response = setting.send(Method::POST, "/instances", &[], more).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        json_of(&response),
        json!({ "message": "Request Entity Too Large" })
    );
}

#[tokio::test]
async fn a_broken_stack_is_told_as_such() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let setting = Setting::new(Some(&endpoint)).await;
    let response = setting.get(&[]).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let problem = json_of(&response);
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["code"], "unavailable");
}

#[tokio::test]
async fn a_closed_door_takes_no_more_requests() {
    let mut setting = Setting::new(None).await;
    assert_eq!(setting.get(&[]).await.status(), StatusCode::ACCEPTED);
    setting.door.take().unwrap().close().await;
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", setting.port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_taken_port_is_refused_with_its_number() {
    let (first, url) = bind(0).await.unwrap();
    let port = first.local_addr().unwrap().port();
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
    let error = bind(port).await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
