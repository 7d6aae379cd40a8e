//! The console function: health, the start page, the document, its reader, and the `$default` route.

use axum::Router;
use haulout_api::Cors;
use haulout_tests::gateway::{Answer, GatewayEvent};
use proptest::prelude::*;
use serde_json::{Value, json};

fn app() -> Router {
    haulout_console::app(Cors::default())
}

async fn get(target: &str) -> Answer {
    GatewayEvent::get(target).send(&app()).await
}

#[tokio::test]
async fn health_is_ok() {
    let answer = get("/health").await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "ok"}))
    );
    assert_eq!(
        GatewayEvent::new("HEAD", "/health")
            .send(&app())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_root_is_a_page_only_for_who_names_html() {
    let app = app();
    for accept in [
        "text/html",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "application/json, TEXT/HTML;q=0.5",
    ] {
        let answer = GatewayEvent::get("/")
            .header("accept", accept)
            .send(&app)
            .await;
        assert_eq!(
            answer.header("content-type"),
            "text/html; charset=utf-8",
            "{accept}"
        );
        assert_eq!(answer.header("vary"), "accept");
    }
    for accept in [
        "",
        "*/*",
        "application/json",
        "text/*",
        "text/html;q=0",
        "text/html; q=0.000",
        "text/htmlx",
        "é",
        "text/plain;x=\"text/html\"",
    ] {
        let answer = GatewayEvent::get("/")
            .header("accept", accept)
            .send(&app)
            .await;
        assert_eq!(
            answer.json(),
            json!({"status": "healthy", "service": "haulout"}),
            "{accept}"
        );
        assert_eq!(answer.header("vary"), "accept");
    }
    assert_eq!(get("/").await.json()["service"], "haulout");
}

/// What an HTML or CSS text would load: values of `src`, `href` on links, and `url(…)`.
fn loads(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, end) in [("src=\"", '"'), ("url(", ')'), ("@import ", ';')] {
        found.extend(text.split(start).skip(1).map(|rest| {
            rest.split(end)
                .next()
                .unwrap_or("")
                .trim_matches(['"', '\''])
                .to_owned()
        }));
    }
    for link in text.split("<link ").skip(1) {
        found.extend(
            link.split("href=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned),
        );
    }
    found
}

#[tokio::test]
async fn the_start_page_loads_nothing_and_runs_nothing() {
    let answer = GatewayEvent::get("/")
        .header("accept", "text/html")
        .send(&app())
        .await;
    let page = answer.text();
    for link in ["href=\"docs\"", "href=\"openapi.json\""] {
        assert!(page.contains(link), "{link}");
    }
    assert!(page.contains("curl -X POST") && page.contains("/instances"));
    assert!(
        !page.contains("<script") && !page.contains("style=") && !page.contains("<!--style-->")
    );
    assert!(
        loads(page).iter().all(|url| url.starts_with("data:")),
        "{:?}",
        loads(page)
    );
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    // The policy allows this very style.
    let style = page
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    let digest = {
        use base64::Engine;
        use sha2::Digest;
        base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style))
    };
    assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
}

#[tokio::test]
async fn the_document_is_the_committed_one_and_can_be_kept() {
    let answer = get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let committed: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert_eq!(answer.json(), committed);
    let tag = answer.header("etag").to_owned();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = GatewayEvent::get("/openapi.json")
            .header("if-none-match", &known)
            .send(&app())
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.header("etag"), tag);
    }
    let other = GatewayEvent::get("/openapi.json")
        .header("if-none-match", "\"x\"")
        .send(&app())
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn the_reader_comes_from_here_alone() {
    let answer = get("/docs").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    let assets: Vec<_> = loads(answer.text())
        .into_iter()
        .filter(|url| !url.starts_with("data:"))
        .collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for asset in assets {
        assert!(asset.starts_with("docs/"), "{asset}");
        let file = get(&format!("/{asset}")).await;
        assert_eq!(file.status, 200, "{asset}");
        let kind = if asset == "docs/swagger-ui.css" {
            "text/css"
        } else {
            "text/javascript"
        };
        assert!(file.header("content-type").starts_with(kind), "{asset}");
        if kind == "text/css" {
            assert!(
                loads(file.text())
                    .iter()
                    .all(|url| url.starts_with("data:")),
                "{asset}"
            );
        }
    }
    let start = get("/docs/start.js").await;
    assert!(
        start.text().contains("validatorUrl: null"),
        "the default one is a foreign server"
    );
    assert!(start.text().contains("url: \"openapi.json\""));
}

#[tokio::test]
async fn the_readers_files_are_packed_for_who_unpacks() {
    let app = app();
    let plain = get("/docs/swagger-ui-bundle.js").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.text().contains("SwaggerUIBundle"));
    for accept in ["gzip", "br, GZIP;q=0.5", "deflate, gzip"] {
        let event =
            GatewayEvent::get("/docs/swagger-ui-bundle.js").header("accept-encoding", accept);
        let packed = event.send(&app).await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{accept}");
        assert!(packed.body.len() < plain.body.len() / 3);
        assert_eq!(packed.header("vary"), "accept-encoding");
        let event = event.header("if-none-match", packed.header("etag"));
        assert_eq!(event.send(&app).await.status, 304);
    }
    for accept in ["", "br", "gzip;q=0", "xgzip"] {
        let event = GatewayEvent::get("/docs/swagger-ui.css").header("accept-encoding", accept);
        assert_eq!(
            event.send(&app).await.header("content-encoding"),
            "",
            "{accept}"
        );
    }
    assert!(
        get("/docs/swagger-ui-license.txt")
            .await
            .text()
            .contains("Apache License")
    );
}

#[tokio::test]
async fn the_reader_has_one_address_and_no_other_files() {
    let answer = get("/docs/").await;
    assert_eq!((answer.status, answer.header("location")), (308, "../docs"));
    for path in [
        "/docs/x",
        "/docs/..",
        "/docs/index.html",
        "/docs/a/b",
        "/docs/%2e%2e%2fetc",
        "/docs/../../etc/passwd",
    ] {
        assert_eq!(get(path).await.problem(404), "unknown_path", "{path}");
    }
}

#[tokio::test]
async fn other_functions_paths_with_a_method_nobody_takes_are_a_405() {
    let app = app();
    for (method, path, allow) in [
        ("PUT", "/instances", &["GET", "POST"] as &[&str]),
        ("PATCH", "/instances/m-1", &["DELETE", "GET"]),
        ("POST", "/api/instances/i-1", &["DELETE", "GET"]),
        ("DELETE", "/api/instances", &["GET", "POST"]),
        ("POST", "/health", &["GET", "HEAD"]),
        ("DELETE", "/", &["GET", "HEAD"]),
        ("POST", "/docs", &["GET", "HEAD"]),
        ("BREW", "/openapi.json", &["GET", "HEAD"]),
    ] {
        let answer = GatewayEvent::new(method, path).send(&app).await;
        assert_eq!(answer.problem(405), "method_not_allowed", "{method} {path}");
        let mut allowed: Vec<_> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed, allow, "{method} {path}");
    }
}

#[tokio::test]
async fn what_nobody_answers_is_a_404() {
    for path in [
        "/nowhere",
        "/instances/",
        "/instances/m-1/x",
        "/instances//",
        "/Instances",
        "/healthz",
        "//",
        "/.env",
        "/api",
    ] {
        assert_eq!(get(path).await.problem(404), "unknown_path", "{path}");
    }
}

#[tokio::test]
async fn preflights_and_options_are_answered_for_every_known_path() {
    let app = haulout_console::app(Cors::new(["https://console.example".to_owned()]).unwrap());
    for path in ["/instances", "/instances/m-1", "/health", "/"] {
        let options = GatewayEvent::new("OPTIONS", path);
        let answer = options.send(&app).await;
        assert_eq!(answer.status, 204, "{path}");
        assert!(answer.header("allow").contains("GET"), "{path}");
        let preflight = options
            .header("origin", "https://console.example")
            .header("access-control-request-method", "POST");
        let answer = preflight.send(&app).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://console.example",
            "{path}"
        );
    }
    let unknown = GatewayEvent::new("OPTIONS", "/no/where").send(&app).await;
    assert_eq!(unknown.problem(404), "unknown_path");
}

proptest! {
    #[test]
    fn whatever_is_asked_is_no_fault_of_ours(path in any::<String>(), query in any::<String>(), accept in any::<String>(), method in "GET|HEAD|POST|OPTIONS|[A-Z]{1,12}") {
        let event = GatewayEvent::new(&method, &format!("{path}?{query}")).header("accept", &accept);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(event.send(&app()));
        prop_assert!(answer.status < 500, "{method} {path}: {}", answer.text());
    }
}
