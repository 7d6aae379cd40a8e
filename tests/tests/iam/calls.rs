//! Calls in a body: of a service, of our functions, of others.

use syn::{Expr, Token, punctuated::Punctuated};

use super::{
    expr::first,
    types::Ty,
    walk::{Call, Index, Request, Table, Walk},
};

/// Parts of a transaction in the DynamoDB SDK.
const PARTS: &[&str] = &["Put", "Update", "Delete", "ConditionCheck"];
/// What a client does beside calling its service.
const NO_CALLS: &[&str] = &["clone", "config"];
/// Methods that answer with what they are called of, or with something in it.
const SAME: &[&str] = &[
    "as_deref",
    "as_deref_mut",
    "as_mut",
    "as_ref",
    "borrow",
    "chain",
    "clone",
    "cloned",
    "copied",
    "expect",
    "filter",
    "find",
    "first",
    "get",
    "get_mut",
    "get_or_init",
    "inspect",
    "instrument",
    "into",
    "into_inner",
    "into_iter",
    "iter",
    "iter_mut",
    "last",
    "lock",
    "map_err",
    "next",
    "ok",
    "ok_or",
    "ok_or_else",
    "or",
    "or_else",
    "read",
    "rev",
    "skip",
    "take",
    "to_owned",
    "unwrap",
    "unwrap_or",
    "unwrap_or_default",
    "unwrap_or_else",
    "write",
];

impl Walk<'_> {
    pub(super) fn method_call(&mut self, call: &syn::ExprMethodCall, awaited: bool) -> Ty {
        let name = call.method.to_string();
        let of = self.expr(&call.receiver, awaited);
        let targets = match &of {
            Ty::Of(full) => self.code.methods(full, &name),
            Ty::Unknown if awaited => self.any_method(&name, call.args.len()),
            _ => Vec::new(),
        };
        let arguments = self.arguments(&call.args, &of);
        match of {
            Ty::Client(service) if call.args.is_empty() && !NO_CALLS.contains(&name.as_str()) => {
                let operation = format!("{service}:{}", camel(&name));
                self.request(operation)
            }
            Ty::Client(service) => Ty::Client(service),
            Ty::Request(number) => self.set(number, &name, &call.args),
            of if targets.is_empty() => {
                if SAME.contains(&name.as_str()) {
                    of
                } else {
                    Ty::Unknown
                }
            }
            of => {
                let answers = targets.iter().map(|target| self.code.answer(*target));
                let answer = first(answers.collect());
                self.body.calls.push(Call {
                    targets,
                    arguments: Some(arguments.0),
                    by_name: of == Ty::Unknown,
                });
                answer
            }
        }
    }

    /// Looks through arguments: which tables they name, and what they are of. A closure is given what the method is
    /// called of.
    fn arguments(
        &mut self,
        arguments: &Punctuated<Expr, Token![,]>,
        of: &Ty,
    ) -> (Vec<Vec<Table>>, Vec<Ty>) {
        let mut tables = Vec::new();
        let mut types = Vec::new();
        for argument in arguments {
            types.push(match argument {
                Expr::Closure(closure) => self.closure(closure, of),
                _ => self.expr(argument, false),
            });
            tables.push(self.tables(argument));
        }
        (tables, types)
    }

    /// A method of a request that is being put together.
    fn set(&mut self, number: usize, name: &str, arguments: &Punctuated<Expr, Token![,]>) -> Ty {
        match (name, arguments.first()) {
            ("table_name" | "request_items", Some(table)) => {
                let tables = self.tables(table);
                self.body.requests[number].tables.extend(tables);
            }
            ("index_name", Some(index)) => {
                let index = self.index(index);
                self.body.requests[number].index = index;
            }
            ("send" | "send_with" | "presigned" | "build", _) => return Ty::Foreign,
            _ => {}
        }
        Ty::Request(number)
    }

    fn request(&mut self, operation: String) -> Ty {
        self.body.requests.push(Request {
            operation,
            tables: Vec::new(),
            index: Index::None,
        });
        Ty::Request(self.body.requests.len() - 1)
    }

    /// All methods of a name with so many arguments, whatever they are methods of.
    fn any_method(&self, name: &str, arguments: usize) -> Vec<usize> {
        let ends = format!("::{name}");
        let all = self.code.functions.iter().enumerate();
        all.filter(|(_, function)| {
            let sig = &function.sig;
            function.name.ends_with(&ends)
                && sig.receiver().is_some()
                && sig.inputs.len() == arguments + 1
        })
        .map(|(at, _)| at)
        .collect()
    }

    pub(super) fn call(&mut self, call: &syn::ExprCall, awaited: bool) -> Ty {
        let Expr::Path(path) = &*call.func else {
            self.expr(&call.func, false);
            self.arguments(&call.args, &Ty::Unknown);
            return Ty::Unknown;
        };
        if let Some(part) = self.transaction_part(&path.path) {
            return self.request(format!("dynamodb:TransactWriteItems/{part}"));
        }
        let targets = self.named(&path.path);
        if targets.is_empty() {
            // `Box::pin(call)` and the like answer with what they are given.
            let given = call.args.iter();
            let types: Vec<Ty> = given.map(|argument| self.expr(argument, awaited)).collect();
            let made = self.made(&path.path);
            return if made.matters() { made } else { first(types) };
        }
        let (mut tables, _) = self.arguments(&call.args, &Ty::Unknown);
        let is_method = |target: &usize| self.code.functions[*target].sig.receiver().is_some();
        if targets.iter().all(is_method) && !tables.is_empty() {
            tables.remove(0);
        }
        let answers = targets.iter().map(|target| self.code.answer(*target));
        let answer = first(answers.collect());
        self.body.calls.push(Call {
            targets,
            arguments: Some(tables),
            by_name: false,
        });
        answer
    }

    /// `Put::builder` and its like.
    fn transaction_part(&self, path: &syn::Path) -> Option<&'static str> {
        let full = self.code.path(&self.function.scope, path);
        let part = full.strip_prefix("aws_sdk_dynamodb::types::")?;
        let part = part.strip_suffix("::builder")?;
        PARTS.iter().find(|known| **known == part).copied()
    }

    /// The type that a struct expression or constructor makes.
    pub(super) fn made(&self, path: &syn::Path) -> Ty {
        let full = self.code.path(&self.function.scope, path);
        let of = full.rsplit_once("::").map_or("", |(of, _)| of);
        let own = [full.as_str(), of].into_iter();
        let mut own = own.filter(|name| self.code.types.contains(*name));
        own.next()
            .map_or(Ty::Foreign, |name| Ty::Of(name.to_owned()))
    }
}

/// `get_item` is `GetItem`.
fn camel(name: &str) -> String {
    let words = name.split('_');
    words
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect()
}
