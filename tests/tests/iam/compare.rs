//! What a function's code needs beside what its policy grants.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    graph::Need,
    policy::{Policy, Right, Template},
    table::{self, INDEX, TABLE},
    walk::{Index, Table},
};

/// A right that the code seems to need, but does not.
#[derive(Debug)]
pub(super) struct Exception {
    /// The function's folder.
    pub(super) function: &'static str,
    pub(super) action: &'static str,
    pub(super) place: &'static str,
    /// Why it is never needed.
    pub(super) why: &'static str,
}

/// A right that is needed: on one of these places.
#[derive(Debug)]
struct Wanted {
    action: &'static str,
    places: Vec<String>,
    /// It may be granted, but need not be.
    is_optional: bool,
    /// What needs it.
    because: String,
}

/// All that does not fit.
pub(super) fn compare(
    template: &Template,
    function: &str,
    needs: &BTreeMap<Need, String>,
    exceptions: &[Exception],
) -> Vec<String> {
    let Some(policy) = template.functions.get(function) else {
        return vec![format!("{function} is not in the template")];
    };
    let mut found = BTreeSet::new();
    let mut wanted = Vec::new();
    for (need, chain) in needs {
        match rights(template, policy, need, chain) {
            Ok(rights) => wanted.extend(rights),
            Err(what) => {
                found.insert(format!("{function}: {what} ({chain})"));
            }
        }
    }
    for (right, why) in &policy.wired {
        if !policy.grants.contains_key(right) {
            let Right { action, place } = right;
            found.insert(format!("{function} lacks {action} on {place}: {why}"));
        }
    }
    let own = |exception: &&Exception| exception.function == function;
    let mut excused: Vec<&Exception> = exceptions.iter().filter(own).collect();
    for wanted in wanted.iter().filter(|it| !it.is_optional) {
        if policy.grants.keys().any(|right| wanted.is_met_by(right)) {
            continue;
        }
        let is_excused = |it: &&Exception| wanted.is_met_by(&Right::new(it.action, it.place));
        if exceptions.iter().filter(own).any(|it| is_excused(&it)) {
            excused.retain(|it| !is_excused(it));
            continue;
        }
        let places = wanted.places.join(" or ");
        found.insert(format!(
            "{function} lacks {} on {places}: {}",
            wanted.action, wanted.because
        ));
    }
    for exception in excused {
        found.insert(format!(
            "{function}: the exception for {} on {} is not needed: {}",
            exception.action, exception.place, exception.why
        ));
    }
    for (right, sid) in &policy.grants {
        let is_used = wanted.iter().any(|wanted| wanted.is_met_by(right));
        if !is_used && !policy.wired.contains_key(right) {
            let Right { action, place } = right;
            found.insert(format!(
                "{function} has {action} on {place} (statement {sid}), and nothing in its code needs that"
            ));
        }
    }
    found.into_iter().collect()
}

/// The rights that an operation takes.
fn rights(
    template: &Template,
    policy: &Policy,
    need: &Need,
    chain: &str,
) -> Result<Vec<Wanted>, String> {
    let needs = table::needs(&need.operation).ok_or_else(|| {
        format!(
            "{} is not in iam/table.rs: look up what it needs",
            need.operation
        )
    })?;
    let because = format!("{} needs it, called by {chain}", need.operation);
    let mut rights = Vec::new();
    for (action, places) in needs {
        for place in *places {
            let (place, is_optional) = match place.strip_prefix('?') {
                Some(place) => (place, true),
                None => (*place, false),
            };
            for places in alternatives(template, policy, need, action, place)? {
                rights.push(Wanted {
                    action,
                    places,
                    is_optional,
                    because: because.clone(),
                });
            }
        }
    }
    Ok(rights)
}

/// All of these are needed, of each one of some.
fn alternatives(
    template: &Template,
    policy: &Policy,
    need: &Need,
    action: &str,
    place: &str,
) -> Result<Vec<Vec<String>>, String> {
    match place {
        TABLE => Ok(vec![vec![format!("table {}", logical_id(need)?)]]),
        INDEX => {
            let table = logical_id(need)?;
            let Index::OneOf(texts) = &need.index else {
                return Ok(vec![vec![format!("table {table}")]]);
            };
            let indexes = template.indexes.get(&table).into_iter().flatten();
            let named: Vec<String> = indexes
                .filter(|name| texts.contains(*name))
                .map(|name| format!("index {table}/{name}"))
                .collect();
            if named.is_empty() {
                return Err(format!("a query on an index that {table} does not have"));
            }
            Ok(vec![named])
        }
        // A function reads all secrets that it is told of.
        "secret" if action.ends_with("GetSecretValue") && !policy.secrets.is_empty() => {
            let secrets = policy.secrets.iter();
            Ok(secrets.map(|name| vec![format!("secret {name}")]).collect())
        }
        place => Ok(vec![vec![place.to_owned()]]),
    }
}

/// The table's logical id in the template: `machines` is `MachinesTable`.
fn logical_id(need: &Need) -> Result<String, String> {
    match &need.table {
        Some(Table::Named(field)) => {
            let (first, rest) = field.split_at(field.len().min(1));
            Ok(format!("{}{rest}Table", first.to_uppercase()))
        }
        _ => Err(format!(
            "which table {} is on cannot be told",
            need.operation
        )),
    }
}

impl Wanted {
    fn is_met_by(&self, right: &Right) -> bool {
        self.action == right.action && self.places.iter().any(|it| covers(&right.place, it))
    }
}

/// Whether what is granted covers what is wanted. That something is granted on everything covers only what cannot be
/// granted on less.
fn covers(granted: &str, wanted: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(start) if !start.is_empty() => wanted.starts_with(start),
        _ => {
            let of_kind = granted.split(' ').next();
            granted == wanted || (wanted != "*" && of_kind == Some(wanted))
        }
    }
}
