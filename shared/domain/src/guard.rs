//! Guard rails: what a deployment allows its callers to launch. Each rule is off until it is set.

use std::fmt::{self, Display};

use crate::{
    launch::{AmiId, InstanceType},
    status::Market,
};

/// The rules of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardRails {
    /// Only these instance types; all when empty.
    pub instance_types: Vec<InstanceType>,
    /// Only these AMIs; all when empty. AMI ids are a region's, as a deployment is.
    pub amis: Vec<AmiId>,
    /// Only these markets; all when empty.
    pub markets: Vec<Market>,
    /// The largest root volume, in GiB.
    pub max_volume_gib: Option<u32>,
    /// The most machines that an owner may have at once.
    pub max_machines: Option<u32>,
    /// The longest life, in minutes; a request without one gets this.
    pub max_ttl_minutes: Option<u32>,
}

/// What a machine would be. What is not known yet is not checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The instance type.
    pub instance_type: Option<&'a InstanceType>,
    /// The AMI.
    pub ami: Option<&'a AmiId>,
    /// The market.
    pub market: Option<Market>,
    /// The root volume, in GiB.
    pub volume_gib: Option<u32>,
    /// The life, in minutes.
    pub ttl_minutes: Option<u32>,
}

/// A rule that is broken. The text names the value, the rule and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value} is not allowed here: {rule} is {allowed}")]
pub struct Violation {
    /// The request's field.
    pub what: &'static str,
    value: String,
    rule: &'static str,
    allowed: String,
}

impl GuardRails {
    /// Some rule is about what a launch template may decide.
    pub fn concern_templates(&self) -> bool {
        !self.instance_types.is_empty()
            || !self.amis.is_empty()
            || !self.markets.is_empty()
            || self.max_volume_gib.is_some()
    }

    /// Checks what is known of a machine.
    pub fn check(&self, wanted: &Wanted<'_>) -> Result<(), Violation> {
        one_of(
            "instance_type",
            "AllowedInstanceTypes",
            wanted.instance_type,
            &self.instance_types,
        )?;
        one_of("ami", "AllowedAmis", wanted.ami, &self.amis)?;
        one_of(
            "market",
            "AllowedMarkets",
            wanted.market.as_ref(),
            &self.markets,
        )?;
        at_most(
            "storage_gb",
            "MaxVolumeGb",
            wanted.volume_gib,
            self.max_volume_gib,
        )?;
        at_most(
            "ttl_minutes",
            "MaxTtlMinutes",
            wanted.ttl_minutes,
            self.max_ttl_minutes,
        )
    }
}

fn one_of<T: PartialEq + Display>(
    what: &'static str,
    rule: &'static str,
    value: Option<&T>,
    allowed: &[T],
) -> Result<(), Violation> {
    match value {
        Some(value) if !allowed.is_empty() && !allowed.contains(value) => Err(Violation {
            what,
            value: value.to_string(),
            rule,
            allowed: Join(allowed).to_string(),
        }),
        _ => Ok(()),
    }
}

fn at_most(
    what: &'static str,
    rule: &'static str,
    value: Option<u32>,
    most: Option<u32>,
) -> Result<(), Violation> {
    match (value, most) {
        (Some(value), Some(most)) if value > most => Err(Violation {
            what,
            value: value.to_string(),
            rule,
            allowed: most.to_string(),
        }),
        _ => Ok(()),
    }
}

struct Join<'a, T>(&'a [T]);

impl<T: Display> Display for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rails() -> GuardRails {
        GuardRails {
            instance_types: ["t3.micro", "t4g.micro"]
                .map(|text| text.parse().expect("an instance type"))
                .to_vec(),
            amis: vec!["ami-01234567".parse().expect("an AMI id")],
            markets: vec![Market::OnDemand],
            max_volume_gib: Some(30),
            max_machines: Some(2),
            max_ttl_minutes: Some(60),
        }
    }

    #[test]
    fn what_breaks_a_rule_is_told_value_rule_and_what_is_allowed() {
        let large = "t3.large".parse().expect("an instance type");
        let wanted = Wanted {
            instance_type: Some(&large),
            ..Wanted::default()
        };
        let violation = rails().check(&wanted).expect_err("a violation");
        assert_eq!(
            violation.to_string(),
            "instance_type t3.large is not allowed here: AllowedInstanceTypes is t3.micro, t4g.micro"
        );
        for wanted in [
            Wanted {
                market: Some(Market::Spot),
                ..Wanted::default()
            },
            Wanted {
                volume_gib: Some(31),
                ..Wanted::default()
            },
            Wanted {
                ttl_minutes: Some(61),
                ..Wanted::default()
            },
            Wanted {
                ami: Some(&"ami-76543210".parse().expect("an AMI id")),
                ..Wanted::default()
            },
        ] {
            assert!(rails().check(&wanted).is_err(), "{wanted:?}");
        }
    }

    #[test]
    fn what_is_allowed_or_unknown_passes_and_no_rule_forbids_nothing() {
        let micro = "t3.micro".parse().expect("an instance type");
        let wanted = Wanted {
            instance_type: Some(&micro),
            market: Some(Market::OnDemand),
            volume_gib: Some(30),
            ttl_minutes: Some(60),
            ..Wanted::default()
        };
        assert_eq!(rails().check(&wanted), Ok(()));
        let spot = Wanted {
            market: Some(Market::Spot),
            ..Wanted::default()
        };
        assert_eq!(GuardRails::default().check(&spot), Ok(()));
    }
}
