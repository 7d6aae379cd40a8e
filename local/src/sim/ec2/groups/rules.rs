//! Rules of a security group: read from IpPermissions, compared, written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::super::errors;
use super::super::query::Params;
use super::super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::ids;

/// Traffic that is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) id: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or `-1` for all.
    pub(super) protocol: String,
    /// First and last port; `-1` for all.
    pub(super) ports: (i32, i32),
    /// The address range, its host bits cleared as EC2 does.
    pub(super) cidr: String,
    pub(super) description: Option<String>,
}

impl Rule {
    /// Whether it lets in the same traffic; EC2 does not compare descriptions.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.protocol, self.ports, &self.cidr) == (&other.protocol, other.ports, &other.cidr)
    }

    fn is_v6(&self) -> bool {
        self.cidr.contains(':')
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.ports;
        write!(f, "{} {from}-{to} {}", self.protocol, self.cidr)
    }
}

/// Reads `IpPermissions.N`.
pub(super) fn read(params: &Params) -> Result<Vec<Rule>, ApiError> {
    let mut rules: Vec<Rule> = Vec::new();
    for permission in params.structures("IpPermissions") {
        if !permission.below("Groups").is_empty() || !permission.below("PrefixListIds").is_empty() {
            return Err(ApiError::client(
                "UnsupportedOperation",
                "Rules that name groups or prefix lists are not simulated.",
            ));
        }
        let (protocol, ports) = traffic(&permission)?;
        let ranges = permission
            .structures("IpRanges")
            .into_iter()
            .map(|range| (range, "CidrIp"))
            .chain(
                permission
                    .structures("Ipv6Ranges")
                    .into_iter()
                    .map(|range| (range, "CidrIpv6")),
            );
        let before = rules.len();
        for (range, name) in ranges {
            let cidr = range.required(name)?;
            let cidr = canonical(cidr, name == "CidrIpv6")
                .ok_or_else(|| errors::invalid(format!("CIDR block {cidr} is malformed")))?;
            rules.push(Rule {
                id: ids::resource("sgr-"),
                protocol: protocol.clone(),
                ports,
                cidr,
                description: range.text("Description"),
            });
        }
        if rules.len() == before {
            return Err(errors::missing(
                "ipRanges, ipv6Ranges, prefixListIds or groups",
            ));
        }
    }
    if rules.is_empty() {
        return Err(errors::missing("ipPermissions"));
    }
    Ok(rules)
}

/// Protocol and ports.
fn traffic(permission: &Params) -> Result<(String, (i32, i32)), ApiError> {
    let protocol = match permission.required("IpProtocol")? {
        "6" => "tcp",
        "17" => "udp",
        known @ ("tcp" | "udp" | "icmp" | "icmpv6" | "-1") => known,
        other => {
            return Err(errors::invalid(format!(
                "Invalid value '{other}' for IP protocol. Unknown protocol."
            )));
        }
    };
    let port = |name| {
        permission
            .parsed::<i32>(name)?
            .ok_or_else(|| errors::missing(name))
    };
    let ports = match protocol {
        "-1" => (-1, -1),
        "icmp" | "icmpv6" => (port("FromPort")?, port("ToPort")?),
        _ => {
            let (from, to) = (port("FromPort")?, port("ToPort")?);
            if !(0..=65_535).contains(&from) || !(from..=65_535).contains(&to) {
                return Err(errors::invalid(format!(
                    "Invalid TCP/UDP port range ({from}:{to})"
                )));
            }
            (from, to)
        }
    };
    Ok((protocol.to_owned(), ports))
}

/// The range as EC2 keeps it; `None` when it is none.
fn canonical(cidr: &str, v6: bool) -> Option<String> {
    let (address, bits) = cidr.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(ip) if !v6 && bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv4Addr::from(u32::from(ip) & mask)))
        }
        IpAddr::V6(ip) if v6 && bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv6Addr::from(u128::from(ip) & mask)))
        }
        _ => None,
    }
}

/// `ipPermissions`: rules of the same traffic stand together.
pub(super) fn write_permissions(xml: &mut Xml, rules: &[Rule]) {
    let mut traffics: Vec<(&str, (i32, i32))> = Vec::new();
    for rule in rules {
        let traffic = (rule.protocol.as_str(), rule.ports);
        if !traffics.contains(&traffic) {
            traffics.push(traffic);
        }
    }
    xml.list("ipPermissions", traffics, |xml, (protocol, ports)| {
        write_traffic(xml, protocol, ports);
        let same = || {
            rules
                .iter()
                .filter(move |r| r.protocol == protocol && r.ports == ports)
        };
        xml.element("groups", |_| {});
        for (list, element, v6) in [
            ("ipRanges", "cidrIp", false),
            ("ipv6Ranges", "cidrIpv6", true),
        ] {
            xml.list(list, same().filter(|r| r.is_v6() == v6), |xml, rule| {
                xml.value(element, &rule.cidr);
                xml.optional("description", rule.description.as_ref());
            });
        }
        xml.element("prefixListIds", |_| {});
    });
}

/// A rule as AuthorizeSecurityGroupIngress answers it.
pub(super) fn write_rule(xml: &mut Xml, group: &str, rule: &Rule) {
    xml.value("securityGroupRuleId", &rule.id);
    xml.value("groupId", group);
    xml.value("isEgress", false);
    xml.value("ipProtocol", &rule.protocol);
    xml.value("fromPort", rule.ports.0);
    xml.value("toPort", rule.ports.1);
    let element = if rule.is_v6() { "cidrIpv6" } else { "cidrIpv4" };
    xml.value(element, &rule.cidr);
    xml.optional("description", rule.description.as_ref());
}

fn write_traffic(xml: &mut Xml, protocol: &str, ports: (i32, i32)) {
    xml.value("ipProtocol", protocol);
    if protocol != "-1" {
        xml.value("fromPort", ports.0);
        xml.value("toPort", ports.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lose_their_host_bits_or_are_refused() {
        let v4 = |cidr| canonical(cidr, false);
        assert_eq!(v4("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(v4("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(v4("192.0.2.7/32").as_deref(), Some("192.0.2.7/32"));
        assert_eq!(
            canonical("2001:db8::1/32", true).as_deref(),
            Some("2001:db8::/32")
        );
        assert_eq!(canonical("::/0", true).as_deref(), Some("::/0"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "::/0", ""] {
            assert_eq!(v4(bad), None, "{bad}");
        }
        assert_eq!(canonical("10.0.0.0/8", true), None);
    }

    #[test]
    fn a_permission_must_say_what_it_lets_in() {
        let check = |form: &str, code: &str| {
            let params = Params::from_form(form.as_bytes()).unwrap();
            assert_eq!(read(&params).unwrap_err().code, code, "{form}");
        };
        let range = "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8";
        check("", "MissingParameter");
        check(range, "MissingParameter");
        check(
            &format!("IpPermissions.1.IpProtocol=tcp&{range}"),
            "MissingParameter",
        );
        let ssh =
            "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort";
        check(&format!("{ssh}=22"), "MissingParameter");
        check(&format!("{ssh}=21&{range}"), "InvalidParameterValue");
        check(&format!("{ssh}=70000&{range}"), "InvalidParameterValue");
        check(&format!("{ssh}=22&{range}9"), "InvalidParameterValue");
        check(
            &format!("{ssh}=22&IpPermissions.1.Groups.1.GroupId=sg-1"),
            "UnsupportedOperation",
        );
    }
}
