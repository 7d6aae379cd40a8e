//! Requests and answers of S3's REST protocol.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use super::BUCKET;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: String,
    pub(super) host: String,
    /// As it was sent.
    pub(super) path: String,
    /// As it was sent.
    pub(super) raw_query: String,
    pub(super) bucket: String,
    /// Decoded.
    pub(super) key: String,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (place, raw_query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let virtual_host = format!("{BUCKET}.");
        let decoded = decode(path.trim_start_matches('/'));
        // The bucket is the host's first word, or the path's.
        let (bucket, key) = if host.starts_with(&virtual_host) {
            (BUCKET.to_owned(), decoded)
        } else {
            let (bucket, key) = decoded.split_once('/').unwrap_or((&decoded, ""));
            (bucket.to_owned(), key.to_owned())
        };
        let query = form_urlencoded::parse(raw_query.as_bytes()).into_owned();
        Self {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            bucket,
            key,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()))
                .collect(),
            query: query.collect(),
            body: body.to_vec(),
        }
    }

    pub(super) fn of(request: &HttpRequest) -> Self {
        let headers: Vec<_> = request.headers().iter().collect();
        let body = request.body().bytes().unwrap_or_default();
        Self::new(request.method(), request.uri(), &headers, body)
    }

    /// The action of the S3 API.
    pub(super) fn action(&self) -> &'static str {
        let has = |name: &str| self.query.contains_key(name);
        match self.method.as_str() {
            "POST" if has("uploads") => "CreateMultipartUpload",
            "POST" if has("uploadId") => "CompleteMultipartUpload",
            "PUT" if has("partNumber") && has("uploadId") => "UploadPart",
            "GET" if has("uploadId") => "ListParts",
            "GET" if has("list-type") => "ListObjectsV2",
            "GET" => "GetObject",
            "HEAD" => "HeadObject",
            "DELETE" if has("uploadId") => "AbortMultipartUpload",
            "DELETE" => "DeleteObject",
            _ => "Unknown",
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

/// Undoes percent-encoding.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<&'static str, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    pub(super) fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: BTreeMap::from([("x-amz-request-id", "C3D4E5".to_owned())]),
            body,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::bytes(status, Vec::new())
    }

    pub(super) fn xml(body: &str) -> Self {
        let mut reply = Self::bytes(
            200,
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}").into_bytes(),
        );
        reply.header("content-type", "application/xml".to_owned());
        reply
    }

    pub(super) fn header(&mut self, name: &'static str, value: String) {
        self.headers.insert(name, value);
    }

    /// The ETag header, in its quotation marks.
    pub fn etag(&self) -> &str {
        self.headers.get("etag").map_or("", String::as_str)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str) -> Self {
        Self { status, code }
    }

    pub(super) fn reply(self) -> Reply {
        let Self { status, code } = self;
        let mut reply = Reply::xml(&format!(
            "<Error><Code>{code}</Code><Message>the test's S3 says {code}</Message><RequestId>C3D4E5</RequestId></Error>"
        ));
        reply.status = status;
        reply
    }
}
