//! Signed URLs, checked as S3 checks them. Source: S3 API, "Authenticating Requests: Using Query Parameters (AWS Signature
//! Version 4)".

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::rest::{Refusal, Request, decode};

/// The test world's credentials.
const ACCESS_KEY: &str = "test";
const SECRET: &str = "test";

const DENIED: Refusal = Refusal::new(403, "AccessDenied");
const WRONG: Refusal = Refusal::new(403, "SignatureDoesNotMatch");

/// Whether a URL is signed, for this request, and is still good.
pub(super) fn check(request: &Request, now: Timestamp) -> Result<(), Refusal> {
    let of = |name: &str| request.query(name).ok_or(DENIED);
    let at = of("X-Amz-Date")?;
    let signed_at: DateTime = DateTime::strptime("%Y%m%dT%H%M%SZ", at).map_err(|_| DENIED)?;
    let signed_at = signed_at
        .to_zoned(TimeZone::UTC)
        .map_err(|_| DENIED)?
        .timestamp();
    let lasts: i64 = of("X-Amz-Expires")?.parse().map_err(|_| DENIED)?;
    let age = now.duration_since(signed_at);
    if age > SignedDuration::from_secs(lasts) || age < SignedDuration::from_secs(-1) {
        return Err(DENIED);
    }
    let names = of("X-Amz-SignedHeaders")?;
    let mut headers = String::new();
    for name in names.split(';') {
        let value = match name {
            "host" => &request.host,
            name => request.header(name).ok_or(WRONG)?,
        };
        headers.extend([name, ":", value.trim(), "\n"]);
    }
    // Whatever S3 would act on has to be signed.
    let is_unsigned = |name: &str| {
        (name.starts_with("x-amz-") || name == "content-md5")
            && !names.split(';').any(|it| it == name)
    };
    if request.header_names().any(is_unsigned) {
        return Err(DENIED);
    }
    let mut pairs: Vec<String> = request
        .raw_query
        .split('&')
        .filter(|pair| !pair.starts_with("X-Amz-Signature="))
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    pairs.sort_unstable();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\nUNSIGNED-PAYLOAD",
        request.method,
        request.path,
        pairs.join("&")
    );
    let credential = decode(of("X-Amz-Credential")?);
    let scope = credential
        .strip_prefix(&format!("{ACCESS_KEY}/"))
        .ok_or(DENIED)?;
    let text = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{:x}",
        Sha256::digest(canonical)
    );
    let key = scope
        .split('/')
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, word| {
            hmac(&key, word.as_bytes()).to_vec()
        });
    let expected = haulout_domain::digest::hex(&hmac(&key, text.as_bytes()));
    if of("X-Amz-Signature")? == expected {
        Ok(())
    } else {
        Err(WRONG)
    }
}

/// HMAC with SHA-256 (RFC 2104); keys here are shorter than its blocks.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| -> Vec<u8> {
        let mut block = vec![with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize())
        .finalize()
        .into()
}
