//! S3 in this process: one bucket, behind the REST protocol. Objects, multipart uploads with CRC64NVME, ranges and
//! signed URLs, which a test carries out as a browser would. Errors are those of the S3 API reference.

mod crc;
mod multipart;
mod rest;
mod signature;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use self::{
    crc::crc64nvme,
    rest::{Reply, Request},
};
use self::{multipart::Multipart, rest::Refusal};

/// The bucket.
pub const BUCKET: &str = "haulout-packages";
/// The most objects, or parts, on a page.
const PAGE: usize = 1_000;

/// The bucket and the uploads on their way into it.
#[derive(Debug, Clone, Default)]
pub struct S3(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Multipart>,
    /// Uploads so far, ended ones included.
    begun: usize,
    /// Objects are shown in lists by this many at a time.
    page: Option<usize>,
}

/// An object.
#[derive(Debug, Clone)]
struct Object {
    body: Vec<u8>,
    etag: String,
    crc64nvme: Option<String>,
}

impl S3 {
    /// Which action of the S3 API a request of the SDK is for; nothing when it is for another service.
    pub fn action_of(request: &HttpRequest) -> Option<&'static str> {
        let is_signed_for_s3 = request
            .headers()
            .get("authorization")
            .is_some_and(|it| it.contains("/s3/aws4_request"));
        is_signed_for_s3.then(|| Request::of(request).action())
    }

    /// Answers a request of the SDK.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "statuses and headers are this module's own"
    )]
    pub fn call(&self, request: &HttpRequest) -> HttpResponse {
        let reply = self.answer(&Request::of(request));
        let status = reply.status.try_into().expect("a valid HTTP status");
        let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
        for (name, value) in reply.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// Sends a request by a signed URL, with exactly these headers beside the host's.
    pub fn carry_out(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: Timestamp,
    ) -> Reply {
        let request = Request::new(method, url, headers, body);
        match signature::check(&request, now) {
            Ok(()) => self.answer(&request),
            Err(refusal) => refusal.reply(),
        }
    }

    /// Puts an object there by hand.
    pub fn put(&self, key: &str, body: &[u8]) {
        let object = Object::new(body.to_vec());
        self.lock().objects.insert(key.to_owned(), object);
    }

    /// Takes an object away by hand.
    pub fn remove(&self, key: &str) {
        self.lock().objects.remove(key);
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// An object's bytes.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().objects.get(key).map(|it| it.body.clone())
    }

    /// How many uploads are neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// Aborts all uploads, as a lifecycle rule would.
    pub fn abort_uploads(&self) {
        self.lock().uploads.clear();
    }

    /// From now on, lists show so many at a time.
    pub fn page_by(&self, entries: usize) {
        self.lock().page = Some(entries);
    }

    fn answer(&self, request: &Request) -> Reply {
        let answer = if request.bucket == BUCKET {
            self.lock().answer(request)
        } else {
            Err(Refusal::new(404, "NoSuchBucket"))
        };
        let mut reply = answer.unwrap_or_else(Refusal::reply);
        if request.method == "HEAD" {
            reply.body.clear();
        }
        reply
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object {
    fn new(body: Vec<u8>) -> Self {
        Self {
            etag: tag(&body),
            crc64nvme: Some(crc64nvme(&body)),
            body,
        }
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Result<Reply, Refusal> {
        match request.action() {
            "CreateMultipartUpload" => self.begin(request),
            "UploadPart" => self.put_part(request),
            "ListParts" => self.list_parts(request),
            "CompleteMultipartUpload" => self.complete(request),
            "AbortMultipartUpload" => self.abort(request),
            "HeadObject" | "GetObject" => self.get(request),
            "DeleteObject" => {
                self.objects.remove(&request.key);
                Ok(Reply::empty(204))
            }
            "ListObjectsV2" => Ok(self.list(request)),
            _ => Err(Refusal::new(501, "NotImplemented")),
        }
    }

    fn get(&self, request: &Request) -> Result<Reply, Refusal> {
        let object = self
            .objects
            .get(&request.key)
            .ok_or(Refusal::new(404, "NoSuchKey"))?;
        let etag = format!("\"{}\"", object.etag);
        if request.header("if-match").is_some_and(|it| it != etag) {
            return Err(Refusal::new(412, "PreconditionFailed"));
        }
        let total = object.body.len();
        let mut reply = match request.header("range") {
            None => Reply::bytes(200, object.body.clone()),
            Some(range) => {
                let (first, last) = span(range, total).ok_or(Refusal::new(416, "InvalidRange"))?;
                let mut reply = Reply::bytes(206, object.body[first..=last].to_vec());
                reply.header("content-range", format!("bytes {first}-{last}/{total}"));
                reply
            }
        };
        reply.header("content-length", reply.body.len().to_string());
        reply.header("etag", etag);
        reply.header("accept-ranges", "bytes".to_owned());
        // Of a range, S3 tells no checksum of the whole.
        if let (Some(crc), true, None) = (
            &object.crc64nvme,
            request.header("x-amz-checksum-mode") == Some("ENABLED"),
            request.header("range"),
        ) {
            reply.header("x-amz-checksum-crc64nvme", crc.clone());
            reply.header("x-amz-checksum-type", "FULL_OBJECT".to_owned());
        }
        Ok(reply)
    }

    fn list(&self, request: &Request) -> Reply {
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request.query("start-after").unwrap_or_default();
        let most = request.query("max-keys").and_then(|it| it.parse().ok());
        let most = self.page.unwrap_or(most.unwrap_or(PAGE)).min(PAGE);
        let found: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
            .collect();
        let contents = found
            .iter()
            .take(most)
            .map(|(key, object)| {
                format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-11-20T19:00:00.000Z</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                    object.etag,
                    object.body.len()
                )
            })
            .collect::<Vec<_>>()
            .concat();
        Reply::xml(&format!(
            "<ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{}</IsTruncated>{contents}</ListBucketResult>",
            found.len().min(most),
            found.len() > most
        ))
    }
}

/// The first and the last byte of a range (RFC 9110, section 14.1.2), as far as there are any.
fn span(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = last.parse().ok()?;
    (first <= last && first < total).then(|| (first, usize::min(last, total - 1)))
}

/// An entity tag. With KMS, S3's are not the MD5 of the bytes: they say nothing but that something is another thing.
fn tag(bytes: &[u8]) -> String {
    let digest = format!("{:x}", Sha256::digest(bytes));
    digest.chars().take(32).collect()
}
