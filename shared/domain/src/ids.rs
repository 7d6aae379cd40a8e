//! Typed identifiers. A *machine* is ours (a record, through all its attempts); an *instance* is EC2's.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::schema::text_schema;

/// Why a string is not an identifier. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not `m-` and a lower-case UUID.
    #[error("'{0}' is not a machine id: expected m- followed by a lower-case UUID")]
    Machine(String),
    /// Not `i-` and 8 or 17 lower-case hexadecimal digits.
    #[error(
        "'{0}' is not an EC2 instance id: expected i- followed by 8 or 17 lower-case hexadecimal digits"
    )]
    Instance(String),
}

/// A machine's id: `m-` and a UUIDv7, so that ids sort by creation time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^m-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
pub struct MachineId(String);

impl MachineId {
    /// Length of the text form, in characters.
    pub const LEN: usize = 38;

    /// A new id; ids made later sort after earlier ones (RFC 9562, UUIDv7).
    pub fn generate() -> Self {
        Self(format!("m-{}", Uuid::now_v7()))
    }

    /// The id of the machine found as this instance: the same whenever it is found, so that it gets one record only.
    pub fn of_instance(instance: &InstanceId, launched: Timestamp) -> Self {
        // At most 17 hexadecimal digits, 68 bits; a UUIDv7 has room for 74 beside its time. The bits that the version
        // and the variant take are left free.
        let digits = u128::from_str_radix(&instance.0[2..], 16).unwrap_or_default();
        let spread = (digits & ((1 << 62) - 1)) | ((digits >> 62) << 64);
        let mut random = [0; 10];
        random.copy_from_slice(&spread.to_be_bytes()[6..]);
        let millis = u64::try_from(launched.as_millisecond()).unwrap_or_default();
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self(format!("m-{uuid}"))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MachineId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = text.len() == Self::LEN
            && text
                .strip_prefix("m-")
                .and_then(|uuid| Uuid::try_parse(uuid).ok())
                .is_some_and(|uuid| uuid.hyphenated().to_string() == text[2..]);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Machine(clip(text)))
        }
    }
}

/// An EC2 instance id, such as `i-0123456789abcdef0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^i-([0-9a-f]{8}|[0-9a-f]{17})$")]
pub struct InstanceId(String);

impl InstanceId {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = text.strip_prefix("i-").is_some_and(|digits| {
            matches!(digits.len(), 8 | 17)
                && digits
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Instance(clip(text)))
        }
    }
}

/// How a caller names a machine in a path: by our id or by EC2's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineRef {
    /// `m-…`
    Machine(MachineId),
    /// `i-…`
    Instance(InstanceId),
}

text_schema!(
    MachineRef,
    r"^(m-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|i-([0-9a-f]{8}|[0-9a-f]{17}))$"
);

impl FromStr for MachineRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with("i-") {
            text.parse().map(Self::Instance)
        } else {
            text.parse().map(Self::Machine)
        }
    }
}

/// Bounds what an error message repeats of a caller's input.
fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

macro_rules! text_form {
    ($($id:ty),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $id {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
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
text_form!(MachineId, InstanceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_parses_and_later_ones_sort_after() {
        let first = MachineId::generate();
        assert_eq!(first.as_str().parse(), Ok(first.clone()));
        assert!(MachineId::generate() > first);
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in [
            "",
            "m-",
            "i-",
            "i-123",
            "i-0123456789ABCDEF0",
            "m-0190a000000070008000000000000000",
            "m-0190A000-0000-7000-8000-000000000000",
            "m-{190a000-0000-7000-8000-000000000000}",
            "i-0123456789abcdef0/..",
            "ünïcödé",
        ] {
            assert!(text.parse::<MachineRef>().is_err(), "{text}");
        }
        assert!("i-0123456789abcdef0".parse::<MachineRef>().is_ok());
        assert!("i-01234567".parse::<MachineRef>().is_ok());
    }
}
