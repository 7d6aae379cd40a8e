//! The routes: reading as an aggregator does, writing as a publisher does, and arming faults.

use std::{
    io,
    sync::{Arc, PoisonError},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use tokio::fs::File;

use super::{
    MAX_SEEN, Seen, Shared, answer,
    body::{End, FileBody, Piece},
    faults::{Asked, Fault, FaultRule},
    range, store,
};

/// The largest blob taken, in bytes.
const MAX_BLOB: u64 = 1 << 30;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/blobs", put(write))
        .route("/v1/blobs/{blob_id}", get(read))
        .route("/v1/blobs/by-object-id/{object_id}", get(read_object))
        .route("/_walrus/faults", post(arm).delete(disarm))
        .fallback(|| async { answer::error(StatusCode::NOT_FOUND, "no such route") })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            note_and_guard,
        ))
        .with_state(shared)
}

/// Keeps web pages out that reach this computer under a name of their own, and remembers what was asked.
async fn note_and_guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let host = text(request.headers(), &header::HOST).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host.as_str(), |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return answer::error(StatusCode::BAD_REQUEST, "this server is for 127.0.0.1 only");
    }
    let mut seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        range: text(request.headers(), &header::RANGE),
        status: 0,
    };
    let response = next.run(request).await;
    seen.status = response.status().as_u16();
    let mut all = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() < MAX_SEEN {
        all.push(seen);
    }
    drop(all);
    response
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

async fn write(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match receive(&shared, request.into_body()).await {
        Ok(response) => response,
        Err(error) => failed(&error),
    }
}

async fn receive(shared: &Shared, mut body: Body) -> io::Result<Response> {
    let mut upload = shared.store.begin()?;
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
            if upload.size() + bytes.len() as u64 > MAX_BLOB {
                let message = format!("a blob may have {MAX_BLOB} bytes here");
                return Ok(answer::error(StatusCode::PAYLOAD_TOO_LARGE, &message));
            }
            upload.write(&bytes).await?;
        }
    }
    let (stored, new) = upload.finish().await?;
    Ok(answer::stored(&stored, new).into_response())
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path(blob_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !store::is_blob_id(&blob_id) {
        return answer::error(StatusCode::BAD_REQUEST, "not a blob id");
    }
    send(&shared, &blob_id, &blob_id, &headers)
        .await
        .unwrap_or_else(|error| failed(&error))
}

async fn read_object(
    State(shared): State<Arc<Shared>>,
    Path(object_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !store::is_object_id(&object_id) {
        return answer::error(StatusCode::BAD_REQUEST, "not an object id");
    }
    match shared.store.blob_of(&object_id.to_ascii_lowercase()).await {
        Ok(blob_id) => send(
            &shared,
            &object_id,
            blob_id.as_deref().unwrap_or_default(),
            &headers,
        )
        .await
        .unwrap_or_else(|error| failed(&error)),
        Err(error) => failed(&error),
    }
}

/// Answers with the blob, a range of it, or what a fault makes of it. `id` is what the path said.
async fn send(
    shared: &Shared,
    id: &str,
    blob_id: &str,
    headers: &HeaderMap,
) -> io::Result<Response> {
    let found = if blob_id.is_empty() {
        None
    } else {
        shared.store.find(blob_id).await?
    };
    let size = found.as_ref().map_or(0, |(_, size)| *size);
    let range = headers
        .get(header::RANGE)
        .map(|value| range::parse(value.to_str().unwrap_or_default(), size));
    let len = match &range {
        Some(Ok((start, end))) => end - start + 1,
        _ => size,
    };
    let fault = shared.faults.take(&Asked {
        id,
        ranged: range.is_some(),
        len,
    });
    match fault {
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(answer::error(status, "a fault was asked for"));
        }
        Some(Fault::Cap(bytes)) => {
            let message = format!("the blob size exceeds the maximum allowed size: {bytes}");
            return Ok(answer::error(StatusCode::FORBIDDEN, &message));
        }
        _ => {}
    }
    let Some((file, _)) = found else {
        let message =
            "the requested blob ID does not exist on Walrus, ensure that it was entered correctly";
        return Ok(answer::error(StatusCode::NOT_FOUND, message));
    };
    let whole = Some(Fault::NoRanges) == fault || range.is_none();
    let start = match range {
        Some(Err(message)) if !whole => {
            return Ok(answer::error(StatusCode::RANGE_NOT_SATISFIABLE, &message));
        }
        Some(Ok((start, _))) if !whole => start,
        _ => 0,
    };
    let piece = Piece {
        start,
        len: if whole { size } else { len },
        ends: match fault {
            Some(Fault::Truncate(bytes)) => Some((bytes, End::Break)),
            Some(Fault::Stall(bytes)) => Some((bytes, End::Stall)),
            _ => None,
        },
        wrong: fault == Some(Fault::WrongBytes),
    };
    let etag = if fault == Some(Fault::WrongEtag) {
        "A".repeat(43)
    } else {
        blob_id.to_owned()
    };
    let range = (!whole).then(|| format!("bytes {start}-{}/{size}", start + len - 1));
    Ok(found_blob(file, piece, range.as_deref(), &etag))
}

/// 200, or 206 with this `Content-Range`.
fn found_blob(file: File, piece: Piece, range: Option<&str>, etag: &str) -> Response {
    let mut response = Response::new(Body::new(FileBody::new(file, piece)));
    if let Some(range) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        insert(&mut response, header::CONTENT_RANGE, range);
    }
    insert(
        &mut response,
        header::CONTENT_LENGTH,
        &piece.len.to_string(),
    );
    insert(
        &mut response,
        header::CONTENT_TYPE,
        "application/octet-stream",
    );
    // Unlike RFC 9110, Walrus puts no quotes around it.
    insert(&mut response, header::ETAG, etag);
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn failed(error: &io::Error) -> Response {
    tracing::warn!(%error, "the Walrus aggregator failed");
    answer::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

async fn arm(State(shared): State<Arc<Shared>>, Json(rule): Json<FaultRule>) -> StatusCode {
    shared.faults.arm(rule);
    StatusCode::NO_CONTENT
}

async fn disarm(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}
