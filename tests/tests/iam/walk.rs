//! One function's body: which operations it calls by itself, and which of our functions.
//!
//! A call's receiver is known by what variables, parameters and fields are declared as. Where it is not known, a call that
//! is awaited counts as one of every method of that name and number of arguments; others are not
//! followed.

use std::collections::BTreeSet;

use syn::{FnArg, Pat};

use super::{
    source::{Code, Function},
    types::Ty,
};

/// Which table is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// The one whose name is in this field.
    Named(String),
    /// The one that is the function's argument of this number.
    Argument(usize),
    /// The one that a generic parameter's type names by a method of this trait.
    Of { interface: String, method: String },
    /// It cannot be told.
    Unknown,
}

/// Which index is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Index {
    /// None.
    None,
    /// One of these texts.
    OneOf(BTreeSet<String>),
}

/// An operation that is called, or a part of a transaction that is put together.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Service and operation, as in [`super::table::OPERATIONS`].
    pub(super) operation: String,
    pub(super) tables: Vec<Table>,
    pub(super) index: Index,
}

/// A call of one of our functions.
#[derive(Debug)]
pub(super) struct Call {
    /// Any of these.
    pub(super) targets: Vec<usize>,
    /// Which tables its arguments name, if they do; nothing when it is only named.
    pub(super) arguments: Option<Vec<Vec<Table>>>,
    /// It is found by its name alone.
    pub(super) by_name: bool,
}

/// What a function's body does.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) requests: Vec<Request>,
    pub(super) calls: Vec<Call>,
    /// What could not be looked into.
    pub(super) unread: Vec<String>,
}

/// What is known of a variable.
pub(super) struct Variable {
    name: String,
    ty: Ty,
    pub(super) tables: Vec<Table>,
}

/// A way through a function's body.
pub(super) struct Walk<'a> {
    pub(super) code: &'a Code,
    pub(super) function: &'a Function,
    variables: Vec<Variable>,
    pub(super) body: Body,
}

/// Looks through a function.
pub(super) fn body(code: &Code, function: &Function) -> Body {
    let mut walk = Walk::new(code, function);
    if let Some(block) = &function.block {
        walk.block(block);
    }
    walk.body
}

impl<'a> Walk<'a> {
    pub(super) fn new(code: &'a Code, function: &'a Function) -> Self {
        let mut walk = Self {
            code,
            function,
            variables: Vec::new(),
            body: Body::default(),
        };
        let mut number = 0;
        for input in &function.sig.inputs {
            match input {
                FnArg::Receiver(_) => {
                    let own = function.scope.own.clone();
                    walk.know("self", own.map_or(Ty::Unknown, Ty::Of), Vec::new());
                }
                FnArg::Typed(input) => {
                    let ty = code.ty(&function.scope, &input.ty);
                    walk.bind(&input.pat, &ty, &[Table::Argument(number)]);
                    number += 1;
                }
            }
        }
        walk
    }

    pub(super) fn know(&mut self, name: &str, ty: Ty, tables: Vec<Table>) {
        self.variables.push(Variable {
            name: name.to_owned(),
            ty,
            tables,
        });
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Variable> {
        let mut newest = self.variables.iter().rev();
        newest.find(|variable| variable.name == name)
    }

    /// Forgets what is declared in here.
    pub(super) fn inside<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let known = self.variables.len();
        let done = act(self);
        self.variables.truncate(known);
        done
    }

    /// Takes a pattern's variables for parts of a value of this type.
    pub(super) fn bind(&mut self, pattern: &Pat, ty: &Ty, tables: &[Table]) {
        let scope = &self.function.scope;
        match pattern {
            Pat::Ident(pat) => {
                self.know(&pat.ident.to_string(), ty.clone(), tables.to_vec());
                if let Some((_, pat)) = &pat.subpat {
                    self.bind(pat, ty, tables);
                }
            }
            Pat::Type(pat) => {
                let said = self.code.ty(scope, &pat.ty);
                let ty = if said.matters() { &said } else { ty };
                self.bind(&pat.pat, ty, tables);
            }
            Pat::Reference(pat) => self.bind(&pat.pat, ty, tables),
            Pat::Paren(pat) => self.bind(&pat.pat, ty, tables),
            Pat::Guard(pat) => self.bind(&pat.pat, ty, tables),
            Pat::Or(pat) => {
                for case in &pat.cases {
                    self.bind(case, ty, tables);
                }
            }
            Pat::Slice(pat) => {
                for element in &pat.elems {
                    self.bind(element, ty, &[]);
                }
            }
            Pat::Tuple(pat) => {
                for (at, element) in pat.elems.iter().enumerate() {
                    let of = match ty {
                        Ty::Tuple(parts) => parts.get(at).cloned().unwrap_or(Ty::Unknown),
                        _ => Ty::Unknown,
                    };
                    self.bind(element, &of, &[]);
                }
            }
            Pat::TupleStruct(pat) => {
                let full = self.code.path(scope, &pat.path);
                for (at, element) in pat.elems.iter().enumerate() {
                    let of = self.part(&full, &at.to_string(), ty);
                    self.bind(element, &of, &[]);
                }
            }
            Pat::Struct(pat) => {
                let full = self.code.path(scope, &pat.path);
                for field in &pat.fields {
                    let name = match &field.member {
                        syn::Member::Named(name) => name.to_string(),
                        syn::Member::Unnamed(at) => at.index.to_string(),
                    };
                    let of = self.part(&full, &name, ty);
                    self.bind(&field.pat, &of, &[Table::Named(name)]);
                }
            }
            _ => {}
        }
    }

    /// A field of what a pattern names. `Some`, `Ok` and the like are not seen in types.
    fn part(&self, full: &str, field: &str, ty: &Ty) -> Ty {
        if self.code.members.contains_key(full) {
            return self.code.field(full, field).unwrap_or(Ty::Unknown);
        }
        if full.ends_with("Err") {
            return Ty::Unknown;
        }
        ty.clone()
    }

    pub(super) fn known(&self, name: &str) -> Option<Ty> {
        self.variable(name).map(|variable| variable.ty.clone())
    }
}
