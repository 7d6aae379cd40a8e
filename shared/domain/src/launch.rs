//! What a caller may say about the instance to launch: validated where it is parsed, so that nothing else
//! reaches EC2 (invariant: what a caller sends is never used unvalidated).

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A value that is not of the form its field asks for. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct FormError {
    expected: &'static str,
}

/// Declares a string with a form of its own, checked on the way in.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        $(#[$doc])*
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = FormError;

            fn from_str(text: &str) -> Result<Self, FormError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(FormError { expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = FormError;

            fn try_from(text: String) -> Result<Self, FormError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// An AMI's id.
    #[schema(value_type = String, pattern = r"^ami-([0-9a-f]{8}|[0-9a-f]{17})$")]
    AmiId, "an AMI id: ami- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "ami-")
}

checked_text! {
    /// A launch template's id.
    #[schema(value_type = String, pattern = r"^lt-([0-9a-f]{8}|[0-9a-f]{17})$")]
    LaunchTemplateId, "a launch template id: lt- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "lt-")
}

checked_text! {
    /// An EC2 instance type. Whether it exists is EC2's to say.
    #[schema(value_type = String, pattern = r"^[a-z0-9-]{1,24}\.[a-z0-9-]{1,24}$")]
    InstanceType, "an EC2 instance type such as t3.medium",
    |text| {
        let word = |part: &str| {
            (1..=24).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        text.split_once('.').is_some_and(|(family, size)| word(family) && word(size))
    }
}

checked_text! {
    /// A machine's name, as EC2's console shows it: the value of a tag (EC2 user guide, "Tag restrictions").
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    MachineName, "1 to 255 letters, digits, spaces and any of _ . : / = + - @, not starting or ending with a space",
    |text| {
        let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        (1..=255).contains(&text.chars().count()) && text.trim() == text && text.chars().all(allowed)
    }
}

checked_text! {
    /// A subnet's id.
    #[schema(value_type = String, pattern = r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$")]
    SubnetId, "a subnet id: subnet- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "subnet-")
}

checked_text! {
    /// A security group's id.
    #[schema(value_type = String, pattern = r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$")]
    SecurityGroupId, "a security group id: sg- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "sg-")
}

checked_text! {
    /// A key pair's name (EC2 API, CreateKeyPair). No quote or space, because it appears in `ssh_string`.
    #[schema(value_type = String, pattern = r"^[A-Za-z0-9_.:/=+@-]{1,255}$")]
    KeyName, "a key pair's name: 1 to 255 letters, digits and any of _ . : / = + - @",
    |text| {
        (1..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&b))
    }
}

checked_text! {
    /// A tag's key (EC2 user guide, "Tag restrictions"). AWS keeps `aws:` for itself, Haulout `haulout:`, `Name` and
    /// `ManagedBy`: by those it finds its machines.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    TagKey, "a tag key: 1 to 128 letters, digits, spaces and any of _ . : / = + - @, not beginning with aws: or haulout:, and neither Name (that is the field name) nor ManagedBy",
    |text| {
        let lower = text.to_lowercase();
        (1..=128).contains(&text.chars().count())
            && text.chars().all(is_tag_char)
            && !["aws:", "haulout:"].iter().any(|kept| lower.starts_with(kept))
            && !["name", "managedby"].contains(&lower.as_str())
    }
}

checked_text! {
    /// A tag's value (EC2 user guide, "Tag restrictions").
    #[schema(value_type = String, max_length = 256)]
    TagValue, "a tag value: up to 256 letters, digits, spaces and any of _ . : / = + - @",
    |text| text.chars().count() <= 256 && text.chars().all(is_tag_char)
}

/// How many tags a resource may carry at AWS, less the five that are Haulout's.
pub const MAX_TAGS: usize = 45;

/// Tags of the caller's, on instance, volumes and spot request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<TagKey, TagValue>",
    into = "BTreeMap<TagKey, TagValue>"
)]
pub struct Tags(BTreeMap<TagKey, TagValue>);

impl Tags {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Key and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<TagKey, TagValue>> for Tags {
    type Error = FormError;

    fn try_from(tags: BTreeMap<TagKey, TagValue>) -> Result<Self, FormError> {
        if tags.len() > MAX_TAGS {
            return Err(FormError {
                expected: "at most 45 tags: AWS allows 50, and five are Haulout's",
            });
        }
        Ok(Self(tags))
    }
}

impl From<Tags> for BTreeMap<TagKey, TagValue> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// The longest user data, in bytes after base64 (EC2 allows 16 KB before).
pub const MAX_USER_DATA: usize = 16_384;

/// User data: what cloud-init reads at the first boot. Kept as base64, as RunInstances takes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserData(String);

impl UserData {
    /// Encodes the text a caller gave.
    pub fn encode(text: &str) -> Result<Self, FormError> {
        let encoded = STANDARD.encode(text);
        if encoded.len() > MAX_USER_DATA {
            return Err(FormError {
                expected: "user data of at most 16384 bytes after base64, that is 12288 bytes of text",
            });
        }
        Ok(Self(encoded))
    }

    /// As base64.
    pub fn as_base64(&self) -> &str {
        &self.0
    }
}

/// User data may hold what its owner would not see in a log.
impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserData({} bytes)", self.0.len())
    }
}

/// The addresses a machine's own security group lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// IPv6 addresses.
    pub fn is_ipv6(&self) -> bool {
        matches!(self.0, IpNet::V6(_))
    }
}

impl FromStr for Cidr {
    type Err = FormError;

    /// Half the internet is as good as all of it: what is wider than a /8 must be asked for as what it is.
    fn from_str(text: &str) -> Result<Self, FormError> {
        const EXPECTED: FormError = FormError {
            expected: "a CIDR block such as 203.0.113.7/32, its host bits zero; from /8 on (IPv6: /16), or exactly 0.0.0.0/0 or ::/0 for the whole internet",
        };
        let net: IpNet = text.parse().map_err(|_| EXPECTED)?;
        let widest = if matches!(net, IpNet::V4(_)) { 8 } else { 16 };
        let is_wide = (1..widest).contains(&net.prefix_len());
        if is_wide || net.trunc() != net {
            return Err(EXPECTED);
        }
        Ok(Self(net))
    }
}

impl TryFrom<String> for Cidr {
    type Error = FormError;

    fn try_from(text: String) -> Result<Self, FormError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || " _.:/=+-@".contains(c)
}

fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for bad in [
            "",
            "ami-",
            "ami-12345",
            "ami-0123456789ABCDEF0",
            "lt-01234567",
        ] {
            assert!(bad.parse::<AmiId>().is_err(), "{bad}");
        }
        for bad in [
            "",
            "t3",
            "t3.",
            ".medium",
            "T3.medium",
            "t3.medium; rm",
            "t3 .x",
        ] {
            assert!(bad.parse::<InstanceType>().is_err(), "{bad}");
        }
        for bad in ["", " a", "a ", "a\nb", "a;b", &"x".repeat(256)] {
            assert!(bad.parse::<MachineName>().is_err(), "{bad}");
        }
        for bad in [
            "",
            "aws:x",
            "AWS:x",
            "haulout:machine",
            "Name",
            "ManagedBy",
            "a;b",
        ] {
            assert!(bad.parse::<TagKey>().is_err(), "{bad}");
        }
        for bad in ["", "a b", "a'b", "$(reboot)"] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad}");
        }
        for bad in [
            "",
            "10.0.0.1",
            "10.0.0.1/24",
            "128.0.0.0/1",
            "0.0.0.0/33",
            "8000::/1",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        for good in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/8",
            "203.0.113.7/32",
            "2001:db8::/32",
        ] {
            assert!(good.parse::<Cidr>().is_ok(), "{good}");
        }
        assert!(UserData::encode(&"x".repeat(12_288)).is_ok());
        assert!(UserData::encode(&"x".repeat(12_289)).is_err());
        assert!("ami-0123456789abcdef0".parse::<AmiId>().is_ok());
        assert!("lt-01234567".parse::<LaunchTemplateId>().is_ok());
        assert!("u-6tb1.112xlarge".parse::<InstanceType>().is_ok());
        assert!("Größe 3: a/b".parse::<MachineName>().is_ok());
    }
}
