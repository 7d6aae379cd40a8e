//! The interface as a client sees it.

use std::{path::Path, sync::Arc};

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Fault, FaultRule, Faults, Shared, routes, store::Store};

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Result<Vec<u8>, String>,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body.as_ref().unwrap()).unwrap()
    }
}

async fn server(folder: Option<&Path>) -> Arc<Shared> {
    Arc::new(Shared {
        store: Store::open(folder.map(Path::to_owned)).await.unwrap(),
        faults: Faults::default(),
        seen: std::sync::Mutex::default(),
    })
}

async fn call(server: &Arc<Shared>, method: &str, path: &str, range: &str, body: &[u8]) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:1");
    if !range.is_empty() {
        request = request.header(header::RANGE, range);
    }
    if path.starts_with("/_walrus") {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let response = routes::router(Arc::clone(server))
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body
            .collect()
            .await
            .map(|body| body.to_bytes().to_vec())
            .map_err(|error| error.to_string()),
    }
}

async fn get(server: &Arc<Shared>, path: &str, range: &str) -> Answer {
    call(server, "GET", path, range, b"").await
}

/// Stores `0123456789` and gives its blob id and object id.
async fn stored(server: &Arc<Shared>) -> (String, String) {
    let answer = call(server, "PUT", "/v1/blobs?epochs=1", "", b"0123456789").await;
    assert_eq!(answer.status, StatusCode::OK);
    let object = &answer.json()["newlyCreated"]["blobObject"];
    assert_eq!(object["size"], 10);
    (
        object["blobId"].as_str().unwrap().to_owned(),
        object["id"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_blob_is_read_by_both_ids() {
    let server = server(None).await;
    let (blob_id, object_id) = stored(&server).await;
    for path in [
        format!("/v1/blobs/{blob_id}"),
        format!("/v1/blobs/by-object-id/{object_id}"),
    ] {
        let answer = get(&server, &path, "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(header::ETAG), blob_id);
        assert_eq!(answer.header(header::CONTENT_LENGTH), "10");
        assert_eq!(answer.body.unwrap(), b"0123456789");
        let head = call(&server, "HEAD", &path, "", b"").await;
        assert_eq!(head.header(header::CONTENT_LENGTH), "10");
        assert_eq!(head.body.unwrap(), b"");
        let part = get(&server, &path, "bytes=2-4").await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.header(header::CONTENT_RANGE), "bytes 2-4/10");
        assert_eq!(part.body.unwrap(), b"234");
    }
    let again = call(&server, "PUT", "/v1/blobs", "", b"0123456789").await;
    assert_eq!(again.json()["alreadyCertified"]["blobId"], *blob_id);
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_as_walrus_says_it() {
    let server = server(None).await;
    let (blob_id, _) = stored(&server).await;
    let path = format!("/v1/blobs/{blob_id}");
    let check = async |path: &str, range: &str, code: u64, reason: &str| {
        let answer = get(&server, path, range).await;
        assert_eq!(u64::from(answer.status.as_u16()), code, "{path} {range}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code);
        assert_eq!(error["details"][0]["reason"], reason);
    };
    check(&path, "bytes=0-", 416, "INVALID_BYTE_RANGE").await;
    check(&path, "bytes=5-10", 416, "INVALID_BYTE_RANGE").await;
    check(
        &format!("/v1/blobs/{}", "A".repeat(43)),
        "",
        404,
        "BLOB_NOT_FOUND",
    )
    .await;
    check(
        &format!("/v1/blobs/by-object-id/0x{}", "a".repeat(64)),
        "",
        404,
        "BLOB_NOT_FOUND",
    )
    .await;
    check("/v1/blobs/..%2f..%2fetc", "", 400, "INVALID_ARGUMENT").await;
    check("/v1/blobs/by-object-id/0x1", "", 400, "INVALID_ARGUMENT").await;
}

#[tokio::test]
async fn faults_happen_where_they_apply_and_as_often_as_asked() {
    let server = server(None).await;
    let (blob_id, _) = stored(&server).await;
    let path = format!("/v1/blobs/{blob_id}");
    let faults = &server.faults;

    faults.next(1, Fault::Status(503));
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 503);
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 200);

    faults.next(1, Fault::Truncate(4));
    assert!(get(&server, &path, "bytes=0-0").await.body.is_ok());
    assert!(get(&server, &path, "").await.body.is_err());

    faults.next(1, Fault::NoRanges);
    assert_eq!(
        get(&server, &path, "bytes=0-0").await.body.unwrap().len(),
        10
    );

    faults.next(1, Fault::Cap(9));
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 403);
    assert_eq!(get(&server, &path, "bytes=0-8").await.status.as_u16(), 206);

    faults.next(1, Fault::WrongBytes);
    assert_ne!(get(&server, &path, "").await.body.unwrap(), b"0123456789");

    faults.arm(FaultRule {
        blob: Some("another".to_owned()),
        fault: Fault::Status(500),
        times: None,
    });
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 200);
    faults.clear();

    let armed = call(
        &server,
        "POST",
        "/_walrus/faults",
        "",
        br#"{"fault":{"status":451}}"#,
    )
    .await;
    assert_eq!(armed.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 451);
    call(&server, "DELETE", "/_walrus/faults", "", b"").await;
    assert_eq!(get(&server, &path, "").await.status.as_u16(), 200);
}

#[tokio::test]
async fn blobs_outlive_the_server_and_cut_off_uploads_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = server(Some(folder.path())).await;
    let (blob_id, object_id) = stored(&first).await;
    std::fs::write(folder.path().join(".upload-cut"), b"x").unwrap();
    drop(first);
    let second = server(Some(folder.path())).await;
    let path = format!("/v1/blobs/by-object-id/{object_id}");
    assert_eq!(get(&second, &path, "").await.header(header::ETAG), blob_id);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1);
}

#[tokio::test]
async fn web_pages_under_other_names_are_kept_out() {
    let server = server(None).await;
    for host in [
        "evil.example",
        "evil.example:9000",
        "127.0.0.1.evil.example",
        "",
    ] {
        let request = Request::builder()
            .uri("/v1/blobs/x")
            .header(header::HOST, host)
            .body(Body::empty())
            .unwrap();
        let response = routes::router(Arc::clone(&server))
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{host}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}
