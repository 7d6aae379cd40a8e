//! How a caller names a Walrus blob, and the checksum it may be held against.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::text_schema;

/// Why a string does not name a blob. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobRefError {
    /// Nothing was given.
    #[error(
        "the blob id is empty: give a Walrus blob id (43 characters) or object id (0x and 64 hexadecimal digits)"
    )]
    Empty,
    /// Starts with `0x`, but is not 64 hexadecimal digits.
    #[error(
        "'{0}' is not a Walrus object id: expected 0x followed by exactly 64 hexadecimal digits"
    )]
    ObjectId(String),
    /// A link where an id belongs.
    #[error("'{0}' is a link: give only the blob id or object id at its end")]
    Link(String),
    /// The number that stands in a blob's object on Sui.
    #[error(
        "'{0}' is the decimal form of a blob id: convert it with 'walrus convert-blob-id' and give the 43-character form"
    )]
    Decimal(String),
    /// Neither form.
    #[error(
        "'{0}' is not a Walrus blob id: expected 43 characters of URL-safe base64 without padding (A-Z, a-z, 0-9, - and _), or an object id (0x and 64 hexadecimal digits)"
    )]
    BlobId(String),
}

/// A Walrus blob, named by its content or by its object on Sui.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BlobRef {
    /// The blob id: 32 bytes as 43 characters of URL-safe base64 without padding.
    BlobId(BlobId),
    /// The id of the blob's object on Sui: `0x` and 64 lower-case hexadecimal digits.
    ObjectId(ObjectId),
}

// Of the last of 43 characters only four bits count.
text_schema!(
    BlobRef,
    r"^([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]|0[xX][0-9A-Fa-f]{64})$"
);

impl BlobRef {
    /// The path at an aggregator under which the blob is read (Walrus HTTP API).
    pub fn aggregator_path(&self) -> String {
        match self {
            Self::BlobId(id) => format!("/v1/blobs/{id}"),
            Self::ObjectId(id) => format!("/v1/blobs/by-object-id/{id}"),
        }
    }
}

impl FromStr for BlobRef {
    type Err = BlobRefError;

    fn from_str(text: &str) -> Result<Self, BlobRefError> {
        if text.is_empty() {
            return Err(BlobRefError::Empty);
        }
        if text.contains("://") {
            return Err(BlobRefError::Link(clip(text)));
        }
        // A blob id may begin with these two characters too; its length tells.
        let prefixed = text.starts_with("0x") || text.starts_with("0X");
        if prefixed && text.len() != BlobId::LEN {
            return text.parse().map(Self::ObjectId);
        }
        text.parse().map(Self::BlobId)
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlobId(id) => id.fmt(f),
            Self::ObjectId(id) => id.fmt(f),
        }
    }
}

/// A blob id: made from the blob's content. Not the SHA-256 of the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(String);

impl BlobId {
    /// Length of the text form, in characters.
    pub const LEN: usize = 43;

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobId {
    type Err = BlobRefError;

    fn from_str(text: &str) -> Result<Self, BlobRefError> {
        // Decoding also refuses a last character with bits that mean nothing: one id, one spelling.
        let decoded = (text.len() == Self::LEN)
            .then(|| URL_SAFE_NO_PAD.decode(text).ok())
            .flatten();
        if decoded.is_some_and(|bytes| bytes.len() == 32) {
            return Ok(Self(text.to_owned()));
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Err(if digits && (60..=78).contains(&text.len()) {
            BlobRefError::Decimal(clip(text))
        } else {
            BlobRefError::BlobId(clip(text))
        })
    }
}

/// The id of a blob's object on Sui.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

impl ObjectId {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectId {
    type Err = BlobRefError;

    fn from_str(text: &str) -> Result<Self, BlobRefError> {
        text.strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .and_then(hex64)
            .map(|digits| Self(format!("0x{digits}")))
            .ok_or_else(|| BlobRefError::ObjectId(clip(text)))
    }
}

/// Why a string is not a SHA-256. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SHA-256: expected exactly 64 hexadecimal digits")]
pub struct Sha256Error(String);

/// A SHA-256 as 64 hexadecimal digits, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^[0-9A-Fa-f]{64}$")]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sha256Hex {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        hex64(text).map(Self).ok_or_else(|| Sha256Error(clip(text)))
    }
}

/// Exactly 64 hexadecimal digits, lower-cased.
fn hex64(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| text.to_ascii_lowercase())
}

/// Bounds what an error message repeats of a caller's input, and keeps it on one line.
fn clip(text: &str) -> String {
    text.chars()
        .take(80)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

macro_rules! text_form {
    ($($id:ty, $error:ty);*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $id {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0
            }
        }
    )*};
}
text_form!(BlobId, BlobRefError; ObjectId, BlobRefError; Sha256Hex, Sha256Error);

impl TryFrom<String> for BlobRef {
    type Error = BlobRefError;

    fn try_from(text: String) -> Result<Self, BlobRefError> {
        text.parse()
    }
}

impl From<BlobRef> for String {
    fn from(blob: BlobRef) -> Self {
        blob.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOB_ID: &str = "E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU";
    const OBJECT_ID: &str = "0x56ae1c86e17db174ea002f8340e28880bc8a8587c56e8604a4fa6b1170b23a60";

    #[test]
    fn both_forms_are_read() {
        let blob: BlobRef = BLOB_ID.parse().unwrap();
        assert_eq!(blob.aggregator_path(), format!("/v1/blobs/{BLOB_ID}"));
        let object: BlobRef = OBJECT_ID.to_uppercase().parse().unwrap();
        assert_eq!(object.to_string(), OBJECT_ID);
        assert_eq!(
            object.aggregator_path(),
            format!("/v1/blobs/by-object-id/{OBJECT_ID}")
        );
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            format!("\"{OBJECT_ID}\"")
        );
    }

    #[test]
    fn what_is_no_blob_id_says_what_is_expected() {
        let refused = |text: &str, says: &str| {
            let error = text.parse::<BlobRef>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        };
        refused("", "empty");
        refused("0x56ae", "64 hexadecimal");
        refused(&format!("{OBJECT_ID}0"), "64 hexadecimal");
        refused(&OBJECT_ID.replace('a', "g"), "64 hexadecimal");
        refused(&BLOB_ID[1..], "43 characters");
        refused(&format!("{BLOB_ID}="), "43 characters");
        refused(&BLOB_ID.replace('_', "/"), "43 characters");
        refused(&BLOB_ID.replace('U', "é"), "43 characters");
        refused(&format!(" {}", &BLOB_ID[1..]), "43 characters");
        refused(&format!("{}\n", &BLOB_ID[1..]), "43 characters");
        refused(&format!("https://a.example/v1/blobs/{BLOB_ID}"), "link");
        refused(&"1234567890".repeat(7), "convert-blob-id");
        // The last character carries four bits; another spelling of the same bytes is refused.
        refused(&format!("{}V", &BLOB_ID[..42]), "43 characters");
    }

    #[test]
    fn a_checksum_is_kept_in_lower_case() {
        let sum: Sha256Hex = "AB".repeat(32).parse().unwrap();
        assert_eq!(sum.as_str(), "ab".repeat(32));
        assert!("ab".repeat(31).parse::<Sha256Hex>().is_err());
        assert!("zz".repeat(32).parse::<Sha256Hex>().is_err());
    }

    #[test]
    fn a_blob_id_may_begin_like_an_object_id() {
        let text = format!("0x{}A", "A".repeat(40));
        assert!(matches!(text.parse(), Ok(BlobRef::BlobId(_))));
    }

    proptest! {
        #[test]
        fn every_32_bytes_have_one_blob_id(bytes: [u8; 32]) {
            let text = URL_SAFE_NO_PAD.encode(bytes);
            let blob: BlobRef = text.parse().unwrap();
            prop_assert_eq!(blob.to_string(), text);
        }

        #[test]
        fn what_is_accepted_is_harmless_to_a_shell_and_a_url(text in ".{0,80}") {
            if let Ok(blob) = text.parse::<BlobRef>() {
                prop_assert!(blob.to_string().bytes().all(
                    |b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
                ));
            }
        }

        #[test]
        fn errors_stay_short_and_on_one_line(text in "\\PC{0,300}|[\\x00-\\x1f]{0,100}") {
            if let Err(error) = text.parse::<BlobRef>() {
                let error = error.to_string();
                prop_assert!(error.chars().count() < 400 && !error.contains('\n'));
            }
        }
    }
}
