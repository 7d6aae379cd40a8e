//! Which functions a crate comes to.

use std::collections::BTreeSet;

use super::{graph::Reading, source::Code, types::Ty};

/// What all functions stand on.
const SHARED: &[&str] = &["haulout_aws", "haulout_api"];

impl Reading {
    /// Methods of `shared/aws` that call AWS, and that none of the crates is seen to call.
    pub(super) fn unseen(&self, krates: &[String]) -> Vec<&str> {
        let mut calling: BTreeSet<usize> = (0..self.bodies.len())
            .filter(|at| !self.bodies[*at].requests.is_empty())
            .collect();
        loop {
            let calls = |at: &usize| {
                let mut targets = self.bodies[*at].calls.iter().flat_map(|call| &call.targets);
                targets.any(|target| calling.contains(target))
            };
            let all = 0..self.bodies.len();
            let new: Vec<usize> = all
                .filter(|at| !calling.contains(at) && calls(at))
                .collect();
            if new.is_empty() {
                break;
            }
            calling.extend(new);
        }
        let reached = krates
            .iter()
            .map(|it| self.reached(&self.own(it), part_of(it)));
        let reached: BTreeSet<usize> = reached.flatten().collect();
        let unseen = calling.difference(&reached).filter(|at| {
            let is_method = self.code.functions[**at].sig.receiver().is_some();
            is_method && of(&self.code, **at) == "haulout_aws"
        });
        unseen
            .map(|at| self.code.functions[*at].name.as_str())
            .collect()
    }

    /// What a function of the deployment is made of, by its crate or, for a further binary of one, by the name that its
    /// `main` has as a crate. A further binary is what its `main` comes to. The crate's own binary is all the rest, and
    /// what that comes to: its handlers are called by nobody who could be seen here.
    pub(super) fn own(&self, entry: &str) -> Vec<usize> {
        let krate = part_of(entry);
        let mut all = own(&self.code, krate);
        let further = format!("{krate}{MAIN}_");
        let is_further = |at: &&usize| {
            let module = &self.code.functions[**at].scope.module;
            if entry == krate {
                module.starts_with(&further)
            } else {
                module.split("::").next() == Some(entry)
            }
        };
        let begin: Vec<usize> = all.iter().filter(is_further).copied().collect();
        let mut reached = self.reached(&begin, krate);
        if entry == krate {
            let rest: Vec<usize> = all
                .iter()
                .filter(|at| !reached.contains(at))
                .copied()
                .collect();
            reached = self.reached(&rest, krate);
        }
        all.retain(|at| reached.contains(at));
        all
    }

    /// The functions that some functions come to by their calls, but for those of other crates that are not shared: a
    /// trait's method may be theirs.
    pub(super) fn reached(&self, from: &[usize], krate: &str) -> BTreeSet<usize> {
        let mut reached: BTreeSet<usize> = from.iter().copied().collect();
        let mut open = from.to_vec();
        while let Some(at) = open.pop() {
            let targets = self.bodies[at].calls.iter().flat_map(|call| &call.targets);
            let within = targets.filter(|target| {
                let of = of(&self.code, **target);
                of == krate || SHARED.contains(&of)
            });
            open.extend(within.filter(|target| reached.insert(**target)));
        }
        reached
    }
}

/// The crate that a function is of; its `main` is of it too.
fn of(code: &Code, at: usize) -> &str {
    let module = &code.functions[at].scope.module;
    part_of(module.split("::").next().unwrap_or(module))
}

/// What the name of a `main` has after its crate's.
const MAIN: &str = "_main";

/// The crate that a `main` is of, or the crate itself.
pub(super) fn part_of(krate: &str) -> &str {
    krate.split(MAIN).next().unwrap_or(krate)
}

/// A crate's functions.
fn own(code: &Code, krate: &str) -> Vec<usize> {
    let all = 0..code.functions.len();
    all.filter(|at| of(code, *at) == krate).collect()
}

/// Methods that are never called, because there is nothing to call them of: methods of types that hold a client, where
/// nothing that is reached makes one.
pub(super) fn idle(code: &Code, reached: &BTreeSet<usize>) -> BTreeSet<usize> {
    let makes = |at: &usize| match code.answer(*at) {
        Ty::Of(of) if code.functions[*at].sig.receiver().is_none() => Some(of),
        _ => None,
    };
    let made: BTreeSet<String> = reached.iter().filter_map(makes).collect();
    let holds_client = |of: &str| {
        let fields = code.members.get(of).into_iter().flatten();
        let mut types = fields.map(|(_, field)| code.ty(&field.scope, &field.ty));
        types.any(|ty| matches!(ty, Ty::Client(_)))
    };
    let all = code.functions.iter().enumerate();
    let idle = all.filter(|(_, function)| {
        let of = function.scope.own.as_deref();
        let is_method = function.sig.receiver().is_some();
        of.is_some_and(|of| is_method && holds_client(of) && !made.contains(of))
    });
    idle.map(|(at, _)| at).collect()
}
