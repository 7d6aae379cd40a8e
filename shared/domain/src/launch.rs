//! What a caller may say about the instance to launch: validated where it is parsed, so that nothing else
//! reaches EC2 (invariant: what a caller sends is never used unvalidated).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A value that is not of the form its field asks for. The text is fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct FormError {
    expected: &'static str,
}

/// Declares a string with a form of its own, checked on the way in.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    AmiId, "an AMI id: ami- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "ami-")
}

checked_text! {
    /// A launch template's id.
    LaunchTemplateId, "a launch template id: lt- followed by 8 or 17 lower-case hexadecimal digits",
    |text| is_resource_id(text, "lt-")
}

checked_text! {
    /// An EC2 instance type. Whether it exists is EC2's to say.
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
    MachineName, "1 to 255 letters, digits, spaces and any of _ . : / = + - @, not starting or ending with a space",
    |text| {
        let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        (1..=255).contains(&text.chars().count()) && text.trim() == text && text.chars().all(allowed)
    }
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
        assert!("ami-0123456789abcdef0".parse::<AmiId>().is_ok());
        assert!("lt-01234567".parse::<LaunchTemplateId>().is_ok());
        assert!("u-6tb1.112xlarge".parse::<InstanceType>().is_ok());
        assert!("Größe 3: a/b".parse::<MachineName>().is_ok());
    }
}
