//! Where blobs are read: the deployment's list of Walrus aggregators, in the order of fail-over.

use std::{fmt, str::FromStr};

/// Why a text is not a list of aggregators. The text is fit for whoever configures the deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AggregatorsError {
    /// No URL at all.
    #[error("no aggregator is configured: give at least one URL, separated by commas")]
    None,
    /// More than [`Aggregators::MAX`].
    #[error("{0} aggregators are configured: {max} are enough", max = Aggregators::MAX)]
    TooMany(usize),
    /// Not a plain http or https base URL.
    #[error(
        "'{0}' is not an aggregator's URL: expected http:// or https://, a host, and nothing but a port and a path after it"
    )]
    Url(String),
}

/// An aggregator's base URL, without a slash at its end: `https://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregatorUrl(String);

impl AggregatorUrl {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AggregatorUrl {
    type Err = AggregatorsError;

    fn from_str(text: &str) -> Result<Self, AggregatorsError> {
        let url = text.trim_end_matches('/');
        let valid = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .is_some_and(|rest| {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                url.len() <= 256 && is_host(host) && path.bytes().all(is_path_byte)
            });
        if valid {
            Ok(Self(url.to_owned()))
        } else {
            Err(AggregatorsError::Url(
                text.chars().take(80).filter(|c| !c.is_control()).collect(),
            ))
        }
    }
}

/// A name, an IPv4 address or a bracketed IPv6 address, and perhaps a port. No user information.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let name_is_valid = match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
                && name
                    .bytes()
                    .next()
                    .is_some_and(|b| b.is_ascii_alphanumeric())
        }
    };
    name_is_valid && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// What a path may be made of here: RFC 3986's unreserved characters and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~')
}

/// At least one aggregator, in the order of fail-over. Reads from text separated by commas; displays separated by
/// spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregators(Vec<AggregatorUrl>);

impl Aggregators {
    /// The most that may be configured; each is asked several times before a blob counts as unavailable.
    pub const MAX: usize = 16;

    /// The list.
    pub fn urls(&self) -> &[AggregatorUrl] {
        &self.0
    }
}

impl FromStr for Aggregators {
    type Err = AggregatorsError;

    fn from_str(text: &str) -> Result<Self, AggregatorsError> {
        let mut urls: Vec<AggregatorUrl> = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let url = part.parse()?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        match urls.len() {
            0 => Err(AggregatorsError::None),
            1..=Self::MAX => Ok(Self(urls)),
            many => Err(AggregatorsError::TooMany(many)),
        }
    }
}

impl fmt::Display for Aggregators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, url) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&url.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_read_in_order_and_without_repeats() {
        let list: Aggregators = " https://a.example/ ,http://127.0.0.1:9001,, https://a.example"
            .parse()
            .unwrap();
        assert_eq!(list.to_string(), "https://a.example http://127.0.0.1:9001");
        assert!("http://[::1]:9001/walrus".parse::<AggregatorUrl>().is_ok());
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "ftp://a.example",
            "https://",
            "https:///v1",
            "https://user:secret@a.example",
            "https://a.example?x=1",
            "https://a.example/#x",
            "https://a.example:0",
            "https://a.example:99999",
            "https://a example",
            "https://-a.example",
            "https://a.example/$(reboot)",
            "https://a.example/'",
            "https://a.example/*",
            "https://a.example\nhttps://b.example",
            "https://[::1",
        ] {
            assert!(text.parse::<AggregatorUrl>().is_err(), "{text}");
        }
        assert_eq!(" , ".parse::<Aggregators>(), Err(AggregatorsError::None));
        let many: Vec<String> = (0..17).map(|n| format!("https://a{n}.example")).collect();
        assert!(many.join(",").parse::<Aggregators>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_harmless_to_a_shell(text in "https?://\\PC{0,60}") {
            if let Ok(list) = text.parse::<Aggregators>() {
                prop_assert!(list.to_string().bytes().all(
                    |b| b.is_ascii_alphanumeric() || b" :/.-_~[]".contains(&b)
                ));
            }
        }
    }
}
