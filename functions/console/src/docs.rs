//! `GET /docs`: Swagger UI over the document. Its files are in the binary, and the page may load nothing from
//! anywhere else. Links are relative, so that it also works below a prefix.

use std::{io::Read, sync::LazyLock};

use axum::response::{IntoResponse, Redirect, Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use flate2::read::GzDecoder;
use haulout_api::{Code, Path, Problem};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY},
};
use sha2::{Digest, Sha256};

use crate::{document::cached, page::Html};

/// Swagger UI sets style attributes from its script, which a policy can only allow altogether.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const READER: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Haulout API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="reader"></div>
<noscript>This reader needs JavaScript; the document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"#;

/// No validator: it would be asked over the internet.
const START: &str = r##"SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reader",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"##;

const SWAGGER_UI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"));
const LICENSE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-license.txt.gz"));

/// Names this version of the files, packed or not.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for file in [SWAGGER_UI, STYLE, LICENSE, START.as_bytes()] {
        digest.update(file);
    }
    format!(
        "W/\"{}\"",
        BASE64_URL_SAFE_NO_PAD.encode(&digest.finalize()[..12])
    )
});

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The document for people.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "service",
    responses((status = 200, description = "A page that reads /openapi.json", body = String, content_type = "text/html"))
)]
pub(crate) async fn reader() -> Html {
    Html {
        body: READER.to_owned(),
        policy: POLICY.to_owned(),
    }
}

/// The page's links are relative to `/docs`, so it has one address only.
pub(crate) async fn with_slash() -> Redirect {
    Redirect::permanent("../docs")
}

/// A file of the reader.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match name.as_str() {
        "swagger-ui-bundle.js" => packed(&headers, JAVASCRIPT, SWAGGER_UI),
        "swagger-ui.css" => packed(&headers, "text/css; charset=utf-8", STYLE),
        "swagger-ui-license.txt" => packed(&headers, "text/plain; charset=utf-8", LICENSE),
        "start.js" => cached(&headers, &VERSION, JAVASCRIPT, || START.into_response()),
        _ => Problem::new(
            Code::UnknownPath,
            "The reader has no such file. It is at /docs.",
        )
        .into_response(),
    }
}

/// Sends gzip to whoever takes it, and unpacks it for whoever does not.
fn packed(headers: &HeaderMap, content_type: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = if takes_gzip(headers) {
        cached(headers, &VERSION, content_type, || {
            ([(CONTENT_ENCODING, "gzip")], bytes).into_response()
        })
    } else {
        let mut text = Vec::new();
        if let Err(error) = GzDecoder::new(bytes).read_to_end(&mut text) {
            return Problem::internal(error).into_response();
        }
        cached(headers, &VERSION, content_type, || text.into_response())
    };
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = weight
                .trim()
                .strip_prefix("q=")
                .is_some_and(|q| q.trim().parse() == Ok(0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}
