//! What a rule knows: the package, the user, the request. How large each fact can be is fixed, so that a rule's cost
//! can be told before there are any.

use std::collections::{BTreeSet, HashMap};

use cel::Value;
use jiff::{Timestamp, tz::TimeZone};

use crate::package::{decide::Requester, record::Package, upload::MAX_GROUPS};

/// What a rule knows of the request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// When it came.
    pub now: Timestamp,
    /// Where it came from: an IP address, or "unknown".
    pub address: &'a str,
}

/// What a fact is, and how large at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number, or true or false.
    Plain,
    /// A text of so many bytes.
    Text(u64),
    /// So many texts of so many bytes each.
    Texts(u64, u64),
}

/// A fact: its variable, its field, and what it is.
pub(super) type Field = (&'static str, &'static str, Kind);

const NAME: u64 = 64;
const TEXT: u64 = 4096;

/// Every fact there is.
pub(super) const FIELDS: &[Field] = &[
    ("pkg", "name", Kind::Text(NAME)),
    ("pkg", "version", Kind::Text(NAME)),
    ("pkg", "owner", Kind::Text(TEXT)),
    ("pkg", "description", Kind::Text(TEXT)),
    ("pkg", "is_sensitive", Kind::Plain),
    (
        "pkg",
        "allowed_groups",
        Kind::Texts(MAX_GROUPS as u64, NAME),
    ),
    ("pkg", "size_bytes", Kind::Plain),
    ("pkg", "unpacked_bytes", Kind::Plain),
    ("pkg", "entries", Kind::Plain),
    ("pkg", "has_script", Kind::Plain),
    ("user", "name", Kind::Text(TEXT)),
    ("user", "roles", Kind::Texts(16, NAME)),
    ("user", "groups", Kind::Texts(200, NAME)),
    ("request", "address", Kind::Text(NAME)),
    ("request", "time", Kind::Plain),
    ("request", "hour", Kind::Plain),
    ("request", "weekday", Kind::Plain),
];

/// Names of the variables. CEL keeps the word `package` for itself.
pub(super) const VARIABLES: [&str; 3] = ["pkg", "user", "request"];

/// A fact is larger than rules are held in bounds for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}.{field} is too large for a rule to be evaluated")]
pub(super) struct TooLarge {
    variable: &'static str,
    field: &'static str,
}

/// The variables, with their fields.
pub(super) type Facts = HashMap<&'static str, HashMap<String, Value>>;

/// Puts the facts together, each within its bounds.
pub(super) fn facts(
    package: &Package,
    user: &Requester<'_>,
    request: &Request<'_>,
) -> Result<Facts, TooLarge> {
    let mut facts: Facts = VARIABLES.map(|name| (name, HashMap::new())).into();
    for (variable, field, kind) in FIELDS.iter().copied() {
        let value = match variable {
            "pkg" => of_package(package, field),
            "user" => of_user(user, field),
            _ => of_request(request, field),
        };
        if !is_within(&value, kind) {
            return Err(TooLarge { variable, field });
        }
        if let Some(fields) = facts.get_mut(variable) {
            fields.insert(field.to_owned(), value);
        }
    }
    Ok(facts)
}

fn of_package(package: &Package, field: &str) -> Value {
    match field {
        "name" => text(&package.name),
        "version" => text(&package.version),
        "owner" => text(&package.owner),
        "description" => text(package.description.as_deref().unwrap_or_default()),
        "is_sensitive" => Value::Bool(package.is_sensitive),
        "allowed_groups" => texts(&package.allowed_groups),
        "size_bytes" => number(package.size_bytes),
        "unpacked_bytes" => number(package.unpacked_bytes),
        "entries" => number(package.entries),
        "has_script" => Value::Bool(package.has_script),
        _ => Value::Null,
    }
}

fn of_user(user: &Requester<'_>, field: &str) -> Value {
    match field {
        "name" => text(user.username),
        "roles" => texts(user.roles),
        "groups" => texts(user.groups),
        _ => Value::Null,
    }
}

/// Times are UTC's.
fn of_request(request: &Request<'_>, field: &str) -> Value {
    let at = request.now.to_zoned(TimeZone::UTC);
    match field {
        "address" => text(request.address),
        // Seconds since 1970.
        "time" => Value::Int(request.now.as_second()),
        "hour" => Value::Int(at.hour().into()),
        // 1 is Monday.
        "weekday" => Value::Int(at.weekday().to_monday_one_offset().into()),
        _ => Value::Null,
    }
}

fn text(text: &(impl ToString + ?Sized)) -> Value {
    Value::from(text.to_string())
}

fn texts<T: ToString>(texts: &BTreeSet<T>) -> Value {
    let texts: Vec<String> = texts.iter().map(T::to_string).collect();
    Value::from(texts)
}

/// CEL's numbers are signed as they are written in a rule.
fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn is_within(value: &Value, kind: Kind) -> bool {
    match (value, kind) {
        (Value::String(text), Kind::Text(most)) => text.len() as u64 <= most,
        (Value::List(texts), Kind::Texts(most, each)) => {
            texts.len() as u64 <= most && texts.iter().all(|it| is_within(it, Kind::Text(each)))
        }
        (Value::Bool(_) | Value::Int(_), Kind::Plain) => true,
        _ => false,
    }
}
