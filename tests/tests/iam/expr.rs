//! Expressions of a body: what they are of, and what is called in them.

use syn::{Block, Expr, Macro, Pat, Stmt, Token, parse::Parser, punctuated::Punctuated};

use super::{
    types::Ty,
    walk::{Call, Walk},
};

impl Walk<'_> {
    pub(super) fn block(&mut self, block: &Block) -> Ty {
        self.inside(|walk| {
            let mut last = Ty::Foreign;
            for stmt in &block.stmts {
                last = walk.stmt(stmt);
            }
            last
        })
    }

    fn stmt(&mut self, stmt: &Stmt) -> Ty {
        match stmt {
            Stmt::Local(local) => {
                if let Some(init) = &local.init {
                    let ty = self.expr(&init.expr, false);
                    if let Some((_, otherwise)) = &init.diverge {
                        self.expr(otherwise, false);
                    }
                    let tables = self.tables(&init.expr);
                    self.bind(&local.pat, &ty, &tables);
                } else {
                    self.bind(&local.pat, &Ty::Unknown, &[]);
                }
                Ty::Foreign
            }
            Stmt::Expr(expr, end) => {
                let ty = self.expr(expr, false);
                if end.is_some() { Ty::Foreign } else { ty }
            }
            Stmt::Macro(stmt) => self.in_macro(&stmt.mac),
            Stmt::Item(_) => Ty::Foreign,
        }
    }

    /// Looks through an expression. `awaited`: what it answers is waited for.
    pub(super) fn expr(&mut self, expr: &Expr, awaited: bool) -> Ty {
        match expr {
            Expr::Path(path) => self.path_expr(path),
            Expr::Field(field) => {
                let of = self.expr(&field.base, false);
                self.field_of(&of, &field.member)
            }
            Expr::MethodCall(call) => self.method_call(call, awaited),
            Expr::Call(call) => self.call(call, awaited),
            Expr::Await(expr) => self.expr(&expr.base, true),
            Expr::Try(expr) => self.expr(&expr.expr, awaited),
            Expr::Reference(expr) => self.expr(&expr.expr, awaited),
            Expr::Paren(expr) => self.expr(&expr.expr, awaited),
            Expr::Group(expr) => self.expr(&expr.expr, awaited),
            Expr::Unary(expr) => self.expr(&expr.expr, false),
            Expr::Cast(expr) => self.expr(&expr.expr, false),
            Expr::Block(expr) => self.block(&expr.block),
            Expr::Async(expr) => self.block(&expr.block),
            Expr::Const(expr) => self.block(&expr.block),
            Expr::Unsafe(expr) => self.block(&expr.block),
            Expr::Closure(closure) => self.closure(closure, &Ty::Unknown),
            Expr::Struct(expr) => {
                for field in &expr.fields {
                    self.expr(&field.expr, false);
                }
                if let Some(rest) = &expr.rest {
                    self.expr(rest, false);
                }
                self.made(&expr.path)
            }
            Expr::Tuple(expr) => {
                Ty::Tuple(expr.elems.iter().map(|it| self.expr(it, awaited)).collect())
            }
            Expr::Macro(expr) => self.in_macro(&expr.mac),
            _ => self.control(expr, awaited),
        }
    }

    /// Branches and loops.
    fn control(&mut self, expr: &Expr, awaited: bool) -> Ty {
        match expr {
            Expr::If(expr) => self.inside(|walk| {
                walk.expr(&expr.cond, false);
                let then = walk.block(&expr.then_branch);
                let otherwise = expr.else_branch.as_ref();
                let otherwise = otherwise.map(|(_, expr)| walk.expr(expr, awaited));
                either(then, otherwise.unwrap_or(Ty::Foreign))
            }),
            Expr::Let(expr) => {
                let ty = self.expr(&expr.expr, false);
                self.bind(&expr.pat, &ty, &[]);
                Ty::Foreign
            }
            Expr::Match(expr) => {
                let of = self.expr(&expr.expr, false);
                let mut answer = Ty::Foreign;
                for arm in &expr.arms {
                    let ty = self.inside(|walk| {
                        walk.bind(&arm.pat, &of, &[]);
                        if let Pat::Guard(pat) = &arm.pat {
                            walk.expr(&pat.guard, false);
                        }
                        walk.expr(&arm.body, awaited)
                    });
                    answer = either(answer, ty);
                }
                answer
            }
            Expr::ForLoop(expr) => self.inside(|walk| {
                let of = walk.expr(&expr.expr, false);
                walk.bind(&expr.pat, &of, &[]);
                walk.block(&expr.body);
                Ty::Foreign
            }),
            Expr::While(expr) => self.inside(|walk| {
                walk.expr(&expr.cond, false);
                walk.block(&expr.body);
                Ty::Foreign
            }),
            Expr::Loop(expr) => {
                self.block(&expr.body);
                Ty::Unknown
            }
            _ => self.simple(expr),
        }
    }

    /// Expressions that are made of others, and no more.
    fn simple(&mut self, expr: &Expr) -> Ty {
        match expr {
            Expr::Assign(expr) => {
                self.expr(&expr.left, false);
                self.expr(&expr.right, false)
            }
            Expr::Binary(expr) => {
                self.expr(&expr.left, false);
                self.expr(&expr.right, false);
                Ty::Foreign
            }
            Expr::Return(expr) => self.perhaps(expr.expr.as_deref()),
            Expr::Break(expr) => self.perhaps(expr.expr.as_deref()),
            Expr::Index(expr) => {
                self.expr(&expr.index, false);
                self.expr(&expr.expr, false)
            }
            Expr::Array(expr) => {
                let types: Vec<Ty> = expr.elems.iter().map(|it| self.expr(it, false)).collect();
                first(types)
            }
            Expr::Repeat(expr) => self.expr(&expr.expr, false),
            Expr::Range(expr) => {
                self.perhaps(expr.start.as_deref());
                self.perhaps(expr.end.as_deref());
                Ty::Foreign
            }
            Expr::Lit(_) | Expr::Continue(_) | Expr::Infer(_) => Ty::Foreign,
            _ => {
                let what = "an expression of a kind that is not understood here".to_owned();
                self.body.unread.push(what);
                Ty::Unknown
            }
        }
    }

    fn perhaps(&mut self, expr: Option<&Expr>) -> Ty {
        expr.map_or(Ty::Foreign, |expr| self.expr(expr, false))
    }

    pub(super) fn closure(&mut self, closure: &syn::ExprClosure, of: &Ty) -> Ty {
        self.inside(|walk| {
            for input in &closure.inputs {
                walk.bind(input, of, &[]);
            }
            walk.expr(&closure.body, false)
        })
    }

    fn path_expr(&mut self, path: &syn::ExprPath) -> Ty {
        if let Some(name) = path.path.get_ident()
            && let Some(ty) = self.known(&name.to_string())
        {
            return ty;
        }
        let targets = self.named(&path.path);
        if !targets.is_empty() {
            // Whoever is given it calls it.
            self.body.calls.push(Call {
                targets,
                arguments: None,
                by_name: false,
            });
            return Ty::Foreign;
        }
        Ty::Unknown
    }

    fn field_of(&mut self, of: &Ty, member: &syn::Member) -> Ty {
        let name = match member {
            syn::Member::Named(name) => name.to_string(),
            syn::Member::Unnamed(at) => at.index.to_string(),
        };
        match of {
            Ty::Of(full) => self.member(full, &name),
            Ty::Tuple(parts) => {
                let at: Option<usize> = name.parse().ok();
                let part = at.and_then(|at| parts.get(at));
                part.cloned().unwrap_or(Ty::Unknown)
            }
            // Fields of one name are of one type in our code.
            Ty::Unknown => self.code.usual_field(&name).unwrap_or(Ty::Unknown),
            Ty::Foreign | Ty::Client(_) | Ty::Request(_) => Ty::Foreign,
        }
    }

    /// A field's type. Where that is a generic parameter, bounds may only be written where the type is used.
    fn member(&self, of: &str, name: &str) -> Ty {
        let member = self.code.members.get(of).and_then(|it| it.get(name));
        member.map_or(Ty::Unknown, |member| {
            let ty = self.code.ty(&member.scope, &member.ty);
            if ty.matters() {
                return ty;
            }
            match &member.ty {
                syn::Type::Path(named) if named.path.get_ident().is_some() => {
                    self.code.ty(&self.function.scope, &member.ty)
                }
                _ => ty,
            }
        })
    }

    /// Most macros take expressions. Of others, only those matter that wait for something.
    fn in_macro(&mut self, mac: &Macro) -> Ty {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(inside) = parser.parse2(mac.tokens.clone()) {
            for expr in &inside {
                self.expr(expr, false);
            }
        } else if mac.tokens.to_string().contains(". await") {
            let name = mac.path.segments.last().map(|it| it.ident.to_string());
            let what = format!("an await inside of {}!", name.unwrap_or_default());
            self.body.unread.push(what);
        }
        Ty::Unknown
    }
}

fn either(one: Ty, other: Ty) -> Ty {
    if one.matters() { one } else { other }
}

/// The first type that matters.
pub(super) fn first(types: Vec<Ty>) -> Ty {
    let known = types.contains(&Ty::Foreign);
    let found = types.into_iter().find(Ty::matters);
    found.unwrap_or(if known { Ty::Foreign } else { Ty::Unknown })
}
