//! AWS's request signature (Signature Version 4), as much of it as requests without a query need.
//!
//! The emulator checks it, and then what the signer's policies allow: an action that template.yaml does not grant to a
//! function fails here as it would on AWS.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, InvalidHeaderValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// SHA-256's block, which HMAC pads its key to (RFC 2104).
const BLOCK: usize = 64;
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// Loopback loses nothing, and hashing a function's package takes a debug build seconds.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Who signs, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signer<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Signer<'_> {
    /// Signs a request to `host` at the time `now`.
    pub(super) fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        host: &str,
        now: Timestamp,
    ) -> Result<(), InvalidHeaderValue> {
        let now = now
            .to_zoned(TimeZone::UTC)
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        // In the order of their names, as the signature wants them.
        let mut signed = vec![(HOST, host.to_owned())];
        let hash = if self.service == "s3" {
            signed.push((CONTENT_HASH, UNSIGNED.to_owned()));
            UNSIGNED.to_owned()
        } else {
            hex(&Sha256::digest(body))
        };
        signed.push((DATE, now.clone()));

        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let headers: String = signed
            .iter()
            .flat_map(|(name, value)| [name.as_str(), ":", value, "\n"])
            .collect();
        let canonical = format!(
            "{}\n{}\n\n{headers}\n{names}\n{hash}",
            request.method(),
            request.uri().path()
        );
        let authorization = self.authorization(&now, &names, &canonical);
        for (name, value) in signed.into_iter().chain([(AUTHORIZATION, authorization)]) {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(&value)?);
        }
        Ok(())
    }

    fn authorization(&self, now: &str, names: &str, canonical: &str) -> String {
        let day = &now[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!(
            "AWS4-HMAC-SHA256\n{now}\n{scope}\n{}",
            hex(&Sha256::digest(canonical))
        );
        let secret = format!("AWS4{}", self.secret_key).into_bytes();
        let key = [day, self.region, self.service, "aws4_request"]
            .into_iter()
            .fold(secret, |key, part| hmac(&key, part.as_bytes()));
        let signature = hex(&hmac(&key, text.as_bytes()));
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        )
    }
}

/// HMAC-SHA-256 (RFC 2104). Keys here are shorter than a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(padded, key)| *padded ^= key);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(service: &str, method: &str, body: &str) -> String {
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service,
        };
        let mut request = Request::builder()
            .method(method)
            .uri("http://127.0.0.1:1/")
            .body(Full::default())
            .unwrap();
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        signer
            .sign(&mut request, body.as_bytes(), "example.amazonaws.com", now)
            .unwrap();
        request.headers()[AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn aws_own_examples_come_out() {
        // From AWS's Signature Version 4 test suite: get-vanilla and post-vanilla.
        assert_eq!(
            authorization("service", "GET", ""),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert!(
            authorization("service", "POST", "")
                .ends_with("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
        );
    }

    #[test]
    fn the_body_counts_except_for_s3() {
        assert_ne!(
            authorization("lambda", "POST", "a"),
            authorization("lambda", "POST", "b")
        );
        assert_eq!(
            authorization("s3", "PUT", "a"),
            authorization("s3", "PUT", "b")
        );
    }
}
