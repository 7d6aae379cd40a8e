//! Which tables and indexes, and which functions, expressions of a body name.

use std::collections::BTreeSet;

use syn::{Expr, Lit, visit::Visit};

use super::{
    source::Code,
    types::Ty,
    walk::{Index, Table, Walk},
};

/// The tables that functions answer the names of: what stands at their end.
pub(super) fn answered(code: &Code, functions: &[usize]) -> Vec<Table> {
    let mut tables = Vec::new();
    for &function in functions {
        let function = &code.functions[function];
        let last = function.block.as_ref().and_then(|it| it.stmts.last());
        if let Some(syn::Stmt::Expr(expr, None)) = last {
            tables.extend(Walk::new(code, function).tables(expr));
        }
    }
    if tables.is_empty() {
        tables.push(Table::Unknown);
    }
    tables
}

impl Walk<'_> {
    /// The tables that an expression may name.
    pub(super) fn tables(&mut self, expr: &Expr) -> Vec<Table> {
        match expr {
            Expr::Reference(expr) => self.tables(&expr.expr),
            Expr::Paren(expr) => self.tables(&expr.expr),
            Expr::Unary(expr) => self.tables(&expr.expr),
            Expr::Field(expr) => match &expr.member {
                syn::Member::Named(name) => vec![Table::Named(name.to_string())],
                syn::Member::Unnamed(_) => vec![Table::Unknown],
            },
            Expr::Path(path) => {
                let name = path.path.get_ident().map(ToString::to_string);
                let known = name.and_then(|name| self.variable(&name));
                known.map_or_else(|| vec![Table::Unknown], |it| it.tables.clone())
            }
            Expr::MethodCall(call) if call.args.is_empty() => {
                let own = self.own_methods(&call.receiver, &call.method.to_string());
                if own.is_empty() {
                    // `.as_str()`, `.clone()`.
                    self.tables(&call.receiver)
                } else {
                    answered(self.code, &own)
                }
            }
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => match self.of_parameter(&path.path) {
                    Some((interface, method)) => vec![Table::Of { interface, method }],
                    None => answered(self.code, &self.named(&path.path)),
                },
                _ => vec![Table::Unknown],
            },
            _ => vec![Table::Unknown],
        }
    }

    fn own_methods(&mut self, receiver: &Expr, name: &str) -> Vec<usize> {
        match self.quietly(receiver) {
            Ty::Of(of) => self.code.methods(&of, name),
            _ => Vec::new(),
        }
    }

    /// An expression's type, without counting again what is called in it.
    fn quietly(&mut self, expr: &Expr) -> Ty {
        let body = &self.body;
        let (requests, calls, unread) = (body.requests.len(), body.calls.len(), body.unread.len());
        let ty = self.expr(expr, false);
        self.body.requests.truncate(requests);
        self.body.calls.truncate(calls);
        self.body.unread.truncate(unread);
        ty
    }

    /// The functions that a path names.
    pub(super) fn named(&self, path: &syn::Path) -> Vec<usize> {
        let full = self.code.path(&self.function.scope, path);
        // A module may have the name of a function that is taken out of it.
        let is_module = self.code.modules.contains(&full);
        let full = if is_module && !self.code.by_name.contains_key(&full) {
            self.code.hop(&full).unwrap_or(full)
        } else {
            full
        };
        if let Some(found) = self.code.by_name.get(&full) {
            return found.clone();
        }
        if let Some((interface, method)) = self.of_parameter(path) {
            return self.code.methods(&interface, &method);
        }
        match full.rsplit_once("::") {
            Some((of, name)) if self.code.types.contains(of) => self.code.methods(of, name),
            _ => Vec::new(),
        }
    }

    /// The trait and method of `R::table`, where `R` is a generic parameter.
    fn of_parameter(&self, path: &syn::Path) -> Option<(String, String)> {
        let [parameter, method] = [path.segments.first()?, path.segments.last()?];
        let bounds = self
            .function
            .scope
            .generics
            .get(&parameter.ident.to_string());
        let bounds = bounds.filter(|_| path.segments.len() == 2)?.iter();
        let mut interfaces = bounds.map(|bound| self.code.path(&self.function.scope, bound));
        let interface = interfaces.find(|name| self.code.types.contains(name))?;
        Some((interface, method.ident.to_string()))
    }

    /// The index that an expression names: a text, or else any text of the module.
    pub(super) fn index(&self, expr: &Expr) -> Index {
        let text = match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            Expr::Path(path) => {
                let full = self.code.path(&self.function.scope, &path.path);
                self.code.texts.get(&full).cloned()
            }
            _ => None,
        };
        if let Some(text) = text {
            return Index::OneOf(BTreeSet::from([text]));
        }
        let module = &self.function.scope.module;
        let mut texts = Texts::default();
        for function in &self.code.functions {
            if let (true, Some(block)) = (function.scope.module == *module, &function.block) {
                texts.visit_block(block);
            }
        }
        for (name, text) in &self.code.texts {
            let of = name.rsplit_once("::").map_or("", |(of, _)| of);
            if of == module {
                texts.0.insert(text.clone());
            }
        }
        Index::OneOf(texts.0)
    }
}

/// The texts of a body.
#[derive(Default)]
struct Texts(BTreeSet<String>);

impl<'ast> Visit<'ast> for Texts {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.insert(text.value());
    }
}
