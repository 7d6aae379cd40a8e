//! Parts of a multipart upload: how large, and which ones make an archive. The limits are S3's: at most 10,000 parts of
//! 5 MiB to 5 GiB (the last may be smaller), 5 TiB in all (Amazon S3 User Guide, "multipart upload limits").

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::{clip, text_form};

const MIB: u64 = 1 << 20;

/// Bytes in a part unless more are needed.
pub const DEFAULT_PART_SIZE: u64 = 8 * MIB;

/// The most parts an upload has.
pub const MAX_PARTS: u32 = 10_000;

/// The most bytes an archive has: 5 TB. Five percent below S3's own limit.
pub const MAX_SIZE: u64 = 5_000_000_000_000;

/// The archive is too large, or empty. Fit for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No archive is.
    #[error(
        "size_bytes is 0: an archive has at least 22 bytes. Leave it out if the size is not known yet"
    )]
    Empty,
    /// More than an object can hold.
    #[error(
        "{0} bytes are too many: a package has at most {MAX_SIZE} bytes (5 TB). Split it into several packages"
    )]
    TooLarge(u64),
}

/// How many bytes each part but the last is to have, for an archive of that many bytes: the default, or as many as it
/// takes to get by with [`MAX_PARTS`]. A multiple of 1 MiB. An archive whose size is not known yet is held for at
/// most 78 GiB.
pub fn part_size(size_bytes: Option<u64>) -> Result<u64, SizeError> {
    match size_bytes {
        Some(0) => Err(SizeError::Empty),
        Some(size) if size > MAX_SIZE => Err(SizeError::TooLarge(size)),
        size => {
            let needed = size.unwrap_or(0).div_ceil(u64::from(MAX_PARTS));
            Ok(needed.next_multiple_of(MIB).max(DEFAULT_PART_SIZE))
        }
    }
}

/// Why a text is no ETag. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an ETag: give the ETag header that S3 answered to the part's PUT")]
pub struct ETagError(String);

/// What S3 answered to the upload of a part, without the quotation marks that it comes in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r#"^("[A-Za-z0-9_+/=-]{1,128}"|[A-Za-z0-9_+/=-]{1,128})$"#)]
pub struct ETag(String);

impl ETag {
    /// The text form, without quotation marks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ETag {
    type Err = ETagError;

    fn from_str(text: &str) -> Result<Self, ETagError> {
        let quoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let bare = quoted.unwrap_or(text);
        // S3 says that it is opaque; what comes is hexadecimal digits, with a hyphen and a number after many parts.
        let is_fit =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'=');
        if (1..=128).contains(&bare.len()) && bare.bytes().all(is_fit) {
            Ok(Self(bare.to_owned()))
        } else {
            Err(ETagError(clip(text)))
        }
    }
}

text_form!(ETag, ETagError);

/// A part that was uploaded, named as S3's own CompleteMultipartUpload names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its place, from 1 on.
    #[serde(rename = "PartNumber")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub number: u32,
    /// What S3 answered to it.
    #[serde(rename = "ETag")]
    pub etag: ETag,
}

/// How parts are kept: one text, with numbers only where they do not follow one another. An item of DynamoDB holds
/// 400 KB, which 10,000 parts would be too much for otherwise.
pub(super) mod kept {
    use std::fmt::Write;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Part;

    pub(crate) fn serialize<S: Serializer>(
        parts: &[Part],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        let mut next = 1;
        for part in parts {
            if !text.is_empty() {
                text.push(' ');
            }
            if part.number != next {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}:", part.number);
            }
            text.push_str(part.etag.as_str());
            next = part.number.saturating_add(1);
        }
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Part>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut next: u32 = 1;
        let mut parts = Vec::new();
        for word in text.split_whitespace() {
            let (number, etag) = match word.split_once(':') {
                Some((number, etag)) => (number.parse().map_err(Error::custom)?, etag),
                None => (next, word),
            };
            let etag = etag.parse().map_err(Error::custom)?;
            parts.push(Part { number, etag });
            next = number.saturating_add(1);
        }
        Ok(parts)
    }
}

/// Why these parts make no archive. Fit for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// There is none.
    #[error("parts is empty: give each part's PartNumber and ETag")]
    None,
    /// Not a number that S3 knows.
    #[error("part number {0} does not exist: parts are numbered from 1 to {MAX_PARTS}")]
    Number(u32),
    /// Named twice, or after a later one.
    #[error(
        "part {0} is named twice or out of order: give every part once, in ascending order of PartNumber"
    )]
    Order(u32),
}

/// A part's number as S3 knows it.
pub fn check_part_number(number: u32) -> Result<(), PartsError> {
    if (1..=MAX_PARTS).contains(&number) {
        Ok(())
    } else {
        Err(PartsError::Number(number))
    }
}

/// The parts are such as S3 puts together: each once, ascending, 1 to [`MAX_PARTS`]. Numbers may be left out.
pub fn check_parts(parts: &[Part]) -> Result<(), PartsError> {
    if parts.is_empty() {
        return Err(PartsError::None);
    }
    let mut before = 0;
    for part in parts {
        check_part_number(part.number)?;
        if part.number <= before {
            return Err(PartsError::Order(part.number));
        }
        before = part.number;
    }
    Ok(())
}
