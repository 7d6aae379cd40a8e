//! What is scarce in simulated EC2, and what it costs; set at the start and while the simulator runs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// At the list price.
    OnDemand,
    /// At the spot price.
    Spot,
}

/// How many instances of a type fit into a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// The zone, e.g. `us-east-1a`; `*` stands for each.
    pub zone: String,
    /// The type, e.g. `g5.xlarge`; `*` stands for each.
    pub instance_type: String,
    /// The market; absent stands for both together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Market>,
    /// How many may be pending, running or stopping at once.
    pub limit: u32,
}

/// What spot instances of a type cost in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpotPrice {
    /// The zone, e.g. `us-east-1a`; `*` stands for each.
    pub zone: String,
    /// The type, e.g. `g5.xlarge`; `*` stands for each.
    pub instance_type: String,
    /// The price.
    pub price: Price,
}

/// US dollars an hour, to the millionth; as text, a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price {
    /// Millionths of a dollar.
    pub(super) micros: u64,
}

/// A text that is not a price.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not a price; write dollars an hour with up to six decimals, e.g. 0.0416")]
pub struct PriceError(String);

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        const DECIMALS: usize = 6;
        let wrong = || PriceError(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
            return Err(wrong());
        }
        let micros = format!("{whole}{fraction:0<DECIMALS$}").parse();
        Ok(Self {
            micros: micros.map_err(|_| wrong())?,
        })
    }
}

impl TryFrom<String> for Price {
    type Error = PriceError;

    fn try_from(text: String) -> Result<Self, PriceError> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.micros / 1_000_000, self.micros % 1_000_000);
        write!(f, "{dollars}.{rest:06}")
    }
}

/// Everything that is scarce; what is not listed is not.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) capacity: Vec<Capacity>,
    /// Addresses by subnet.
    pub(super) addresses: BTreeMap<String, u32>,
    /// Where spot prices are others than the usual ones; the last that fits holds.
    pub(super) spot_prices: Vec<SpotPrice>,
    /// Spot instances that there may be at once.
    pub(super) spot_instances: Option<u32>,
}

/// Whether `pattern` is `value` or stands for each.
pub(super) fn fits(pattern: &str, value: &str) -> bool {
    pattern == "*" || pattern == value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_and_written_to_the_millionth() {
        let check = |text: &str, micros: u64, shown: &str| {
            let price: Price = text.parse().unwrap();
            assert_eq!((price.micros, price.to_string().as_str()), (micros, shown));
        };
        check("0.0416", 41_600, "0.041600");
        check("3", 3_000_000, "3.000000");
        check("0.000001", 1, "0.000001");
        for bad in ["", ".", "1.", ".5", "-1", "0.0000001", "1e3", "x", "1.2.3"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
    }
}
