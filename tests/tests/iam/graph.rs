//! What each function needs of AWS, by itself or by what it calls, and through which calls.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    reach::{idle, part_of},
    source::Code,
    tables,
    walk::{self, Body, Call, Index, Table},
};

/// An operation on a table, or on none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// As in [`super::table::OPERATIONS`].
    pub(super) operation: String,
    pub(super) table: Option<Table>,
    pub(super) index: Index,
}

/// Why a function needs something.
#[derive(Debug, Clone)]
enum Because {
    /// It calls the operation.
    Itself,
    /// It calls a function that needs this.
    Calls {
        target: usize,
        need: Need,
        by_name: bool,
    },
}

/// Code, and what each of its functions does by itself.
pub(super) struct Reading {
    pub(super) code: Code,
    pub(super) bodies: Vec<Body>,
}

/// What the functions of a crate, or of one of its binaries, need, and those of the shared crates for their sake.
pub(super) struct Graph<'a> {
    code: &'a Code,
    own: Vec<usize>,
    needs: Vec<BTreeMap<Need, Because>>,
    /// The functions that others call.
    called: BTreeSet<usize>,
}

/// Longer chains of calls there are not.
const MOST_ROUNDS: u32 = 100;

impl Reading {
    /// Looks through all functions.
    pub(super) fn of(code: Code) -> Result<Self, String> {
        let functions = code.functions.iter();
        let bodies: Vec<Body> = functions
            .map(|function| walk::body(&code, function))
            .collect();
        let unread = code.functions.iter().zip(&bodies);
        let unread = unread.flat_map(|(function, body)| {
            let told = body.unread.iter();
            told.map(|what| format!("{}: {what}", function.name))
        });
        let unread: Vec<String> = unread.collect();
        if unread.is_empty() {
            return Ok(Self { code, bodies });
        }
        Err(format!("teach iam/expr.rs: {}", unread.join("; ")))
    }

    /// What a function of the deployment needs ([`Self::own`]).
    pub(super) fn graph<'a>(&'a self, entry: &str) -> Graph<'a> {
        let own = self.own(entry);
        let reached = self.reached(&own, part_of(entry));
        let idle = idle(&self.code, &reached);
        let working: Vec<usize> = reached.difference(&idle).copied().collect();
        let mut needs = vec![BTreeMap::new(); self.bodies.len()];
        for &at in &working {
            needs[at] = own_needs(&self.bodies[at]);
        }
        // Each round is one call further: what is found first is found through the fewest calls.
        for _ in 0..MOST_ROUNDS {
            let mut found = Vec::new();
            for &at in &working {
                let passed_on = self.passed_on(at, &needs).into_iter();
                let new = passed_on.filter(|(need, _)| !needs[at].contains_key(need));
                found.extend(new.map(|(need, because)| (at, need, because)));
            }
            if found.is_empty() {
                break;
            }
            for (at, need, because) in found {
                needs[at].entry(need).or_insert(because);
            }
        }
        let calls = working.iter().flat_map(|at| &self.bodies[*at].calls);
        let called = calls.flat_map(|call| call.targets.iter().copied());
        let called = called.collect();
        Graph {
            code: &self.code,
            own,
            needs,
            called,
        }
    }

    /// What a function needs for what it calls, as far as that is known.
    fn passed_on(&self, at: usize, known: &[BTreeMap<Need, Because>]) -> Vec<(Need, Because)> {
        let mut found = Vec::new();
        for call in &self.bodies[at].calls {
            for &target in &call.targets {
                for need in known[target].keys() {
                    for table in self.tables(at, call, need) {
                        let ours = Need {
                            table,
                            ..need.clone()
                        };
                        let because = Because::Calls {
                            target,
                            need: need.clone(),
                            by_name: call.by_name,
                        };
                        found.push((ours, because));
                    }
                }
            }
        }
        found
    }

    /// Which tables a need of what is called is about, seen from the function that calls.
    fn tables(&self, at: usize, call: &Call, need: &Need) -> Vec<Option<Table>> {
        let tables = match &need.table {
            Some(Table::Argument(number)) => {
                let given = call.arguments.as_ref().and_then(|it| it.get(*number));
                given.cloned().unwrap_or_else(|| vec![Table::Unknown])
            }
            Some(Table::Of { interface, method }) => {
                let types = self.code.meant(at, interface);
                if types.is_empty() {
                    // The caller leaves it to its own.
                    return vec![need.table.clone()];
                }
                let methods = types.iter().flat_map(|of| self.code.methods(of, method));
                tables::answered(&self.code, &methods.collect::<Vec<_>>())
            }
            table => return vec![table.clone()],
        };
        tables.into_iter().map(Some).collect()
    }
}

impl Graph<'_> {
    /// What it needs, each with the shortest chain of calls to it.
    pub(super) fn needs(&self) -> BTreeMap<Need, String> {
        let mut found: BTreeMap<Need, String> = BTreeMap::new();
        for &at in &self.own {
            for need in self.needs[at].keys() {
                // Whoever calls it says which table it is.
                let is_open = matches!(need.table, Some(Table::Argument(_) | Table::Of { .. }));
                if is_open && self.called.contains(&at) {
                    continue;
                }
                let chain = self.chain(at, need);
                let known = found.entry(need.clone()).or_insert_with(|| chain.clone());
                if chain.matches(ARROW).count() < known.matches(ARROW).count() {
                    *known = chain;
                }
            }
        }
        found
    }

    fn chain(&self, at: usize, need: &Need) -> String {
        let mut text = short(&self.code.functions[at].name);
        let (mut at, mut need) = (at, need.clone());
        let mut seen = BTreeSet::new();
        while let Some(Because::Calls {
            target,
            need: theirs,
            by_name,
        }) = self.needs[at].get(&need)
        {
            if !seen.insert((at, need)) {
                break;
            }
            text += ARROW;
            text += &short(&self.code.functions[*target].name);
            if *by_name {
                text += " (by its name alone)";
            }
            (at, need) = (*target, theirs.clone());
        }
        text
    }
}

const ARROW: &str = " > ";

/// The last parts of a full name.
fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split("::").collect();
    parts[parts.len().saturating_sub(3)..].join("::")
}

fn own_needs(body: &Body) -> BTreeMap<Need, Because> {
    let mut needs = BTreeMap::new();
    for request in &body.requests {
        let mut tables: Vec<Option<Table>> = request.tables.iter().cloned().map(Some).collect();
        if tables.is_empty() {
            tables.push(None);
        }
        for table in tables {
            let need = Need {
                operation: request.operation.clone(),
                table,
                index: request.index.clone(),
            };
            needs.insert(need, Because::Itself);
        }
    }
    needs
}
