//! Paged lists: `limit` and an opaque `cursor`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::problem::{Code, Problem};

/// How many entries a page has: 1 to 100, 50 unless asked otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = u16, minimum = 1, maximum = 100, default = 50)]
pub struct Limit(u16);

impl Limit {
    /// The largest page.
    pub const MAX: u16 = 100;

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .ok()
            .filter(|limit| (1..=Self::MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| format!("'{text}' is not a whole number from 1 to {}", Self::MAX))
    }
}

/// The version of the cursor's form: an older one is refused instead of misread.
const VERSION: u8 = 1;
/// Longer ones are none of ours.
const MAX_CURSOR: usize = 2_048;

/// What a cursor says when it is decoded. Callers must not rely on any of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    v: u8,
    /// Where the next page starts.
    p: Value,
    /// Ties the position to the filter, and shows edits. No secret: a cursor gives no right its caller does not have.
    c: String,
}

/// The cursor for the page after `position`, in the list that `filter` selects.
///
/// # Errors
/// A 500 when one of them cannot be written as JSON.
pub fn encode_cursor<P: Serialize, F: Serialize>(
    position: &P,
    filter: &F,
) -> Result<String, Problem> {
    let p = serde_json::to_value(position).map_err(Problem::internal)?;
    let c = checksum(&p, filter)?;
    let envelope = Envelope { v: VERSION, p, c };
    let text = serde_json::to_vec(&envelope).map_err(Problem::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(text))
}

/// The position in a cursor that was made for the same `filter`.
///
/// # Errors
/// A 400 for any other text.
pub fn decode_cursor<P: DeserializeOwned, F: Serialize>(
    cursor: &str,
    filter: &F,
) -> Result<P, Problem> {
    let refused = || {
        let detail = "Query parameter `cursor`: not a next_cursor of this list with these filters. Leave it out to start from the first page.";
        Problem::new(Code::InvalidCursor, detail)
    };
    if cursor.len() > MAX_CURSOR {
        return Err(refused());
    }
    let text = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|error| refused().because(error))?;
    let envelope: Envelope =
        serde_json::from_slice(&text).map_err(|error| refused().because(error))?;
    if envelope.v != VERSION || envelope.c != checksum(&envelope.p, filter)? {
        return Err(refused());
    }
    serde_json::from_value(envelope.p).map_err(|error| refused().because(error))
}

fn checksum<F: Serialize>(position: &Value, filter: &F) -> Result<String, Problem> {
    let text = serde_json::to_vec(&(VERSION, position, filter)).map_err(Problem::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12]))
}
