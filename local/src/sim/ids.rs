//! Identifiers: made at random in AWS's shapes, and checked for those shapes.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A new resource id: `prefix` (with its dash) and 17 hexadecimal digits.
pub(super) fn resource(prefix: &str) -> String {
    let mut hex = hex(&random());
    hex.truncate(17);
    format!("{prefix}{hex}")
}

/// A new spot request id: EC2 gives these eight characters.
pub(super) fn spot_request() -> String {
    let mut hex = hex(&random());
    hex.truncate(8);
    format!("sir-{hex}")
}

/// A new random UUID, for request and command ids.
pub(super) fn uuid() -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random()[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// The UUID that belongs to `text`, always the same.
pub(super) fn uuid_of(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// Whether `id` is `prefix` and 8 or 17 hexadecimal digits, as EC2 demands before it looks an id up.
pub(super) fn is_resource(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| {
        matches!(rest.len(), 8 | 17)
            && rest
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// The hexadecimal SHA-256 of `text`.
pub(super) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Random bytes: the operating system's, as gathered into a version 7 UUID, spread over all positions.
fn random() -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(Uuid::now_v7().as_bytes());
    hash.update(Uuid::now_v7().as_bytes());
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_have_awss_shape_and_differ() {
        let (one, two) = (resource("i-"), resource("i-"));
        assert!(is_resource(&one, "i-"), "{one}");
        assert_ne!(one, two);
        assert_eq!(uuid().len(), 36);
        assert_eq!(spot_request().len(), 12);
    }

    #[test]
    fn malformed_ids_are_told_apart() {
        for good in ["i-0123456789abcdef0", "i-1a2b3c4d"] {
            assert!(is_resource(good, "i-"), "{good}");
        }
        for bad in [
            "",
            "i-",
            "i-xyz",
            "i-0123456789ABCDEF0",
            "i-0123456789abcdef",
            "vol-1a2b3c4d",
            "m-1a2b3c4d",
        ] {
            assert!(!is_resource(bad, "i-"), "{bad}");
        }
    }
}
