//! What a rule costs at worst, told from its text: every node of it is looked at once, and bounds how large its value
//! can be and how much work it is. What is not named here, no rule has.
//!
//! A step is about what it takes to copy a byte. Loops multiply, and nothing else does: no value grows within a loop,
//! because `map` and `filter`, which gather as they go, are left out.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};

use super::{
    RuleError,
    bound::{Bound, gathered},
    facts::{FIELDS, VARIABLES},
};
use crate::package::text::clip;

/// The most steps.
pub(super) const MAX_COST: u64 = 30_000_000;

/// Operators whose value is a number, or true or false; all but those that have rules of their own below.
const PLAIN: &[&str] = &[
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NOT_STRICTLY_FALSE,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::IN,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
];

/// Functions, each in proportion to what it is given.
const FUNCTIONS: &[&str] = &["size", "contains", "startsWith", "endsWith"];

/// Operators of those that give a number.
const NUMBERS: &[&str] = &[
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
    operators::ADD,
    "size",
];

/// Refuses what is not named here, and what costs too much.
pub(super) fn check(expression: &IdedExpr) -> Result<(), RuleError> {
    if is_no_condition(&expression.expr) {
        return Err(RuleError::NoCondition);
    }
    let cost = bound(expression, &Scope::default())?.cost;
    if cost > MAX_COST {
        let allowed = MAX_COST;
        return Err(RuleError::Costly { cost, allowed });
    }
    Ok(())
}

/// Told from the outermost node: what cannot be true or false.
fn is_no_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(literal) => !matches!(literal, LiteralValue::Boolean(_)),
        Expr::Call(call) => NUMBERS.contains(&call.func_name.as_str()),
        Expr::List(_) | Expr::Map(_) => true,
        _ => false,
    }
}

/// Names that loops give to what they go through.
#[derive(Debug, Default)]
struct Scope<'a> {
    name: &'a str,
    bound: Bound,
    outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    fn with(&'a self, name: &'a str, bound: Bound) -> Self {
        let outer = Some(self);
        Self { name, bound, outer }
    }

    fn find(&self, name: &str) -> Option<Bound> {
        if !self.name.is_empty() && self.name == name {
            return Some(self.bound);
        }
        self.outer.and_then(|outer| outer.find(name))
    }
}

fn bound(expression: &IdedExpr, scope: &Scope<'_>) -> Result<Bound, RuleError> {
    match &expression.expr {
        Expr::Literal(literal) => Ok(of_literal(literal)),
        Expr::Ident(name) => match scope.find(name) {
            Some(bound) => Ok(bound.costing(0)),
            None => Err(RuleError::Name(clip(name))),
        },
        Expr::Select(select) => of_select(select, scope),
        Expr::Call(call) => of_call(call, scope),
        Expr::List(list) => {
            let items = list.elements.iter().map(|it| bound(it, scope));
            Ok(gathered(&items.collect::<Result<Vec<_>, _>>()?))
        }
        Expr::Map(map) => {
            let mut values = Vec::new();
            for entry in &map.entries {
                let EntryExpr::MapEntry(entry) = &entry.expr else {
                    return Err(RuleError::Function("{}".to_owned()));
                };
                values.push(bound(&entry.key, scope)?);
                values.push(bound(&entry.value, scope)?);
            }
            Ok(gathered(&values))
        }
        Expr::Comprehension(comprehension) => of_loop(comprehension, scope),
        Expr::Struct(it) => Err(RuleError::Function(clip(&it.type_name))),
        Expr::Unspecified => Err(RuleError::Syntax("something is missing".to_owned())),
    }
}

fn of_literal(literal: &LiteralValue) -> Bound {
    let bound = match literal {
        LiteralValue::String(text) => Bound::text(text.inner().len() as u64),
        LiteralValue::Bytes(bytes) => Bound::text(bytes.inner().len() as u64),
        _ => Bound::plain(),
    };
    bound.costing(0)
}

/// A fact, or a part of another value. Loops may give their names to what is called like a variable.
fn of_select(select: &SelectExpr, scope: &Scope<'_>) -> Result<Bound, RuleError> {
    let known = match &select.operand.expr {
        Expr::Ident(name) if scope.find(name).is_none() => {
            VARIABLES.into_iter().find(|it| it == name)
        }
        _ => None,
    };
    let (value, cost) = if let Some(variable) = known {
        (of_field(variable, &select.field)?, 0)
    } else {
        let operand = bound(&select.operand, scope)?;
        (operand.part(), operand.cost)
    };
    let value = if select.test { Bound::plain() } else { value };
    Ok(value.costing(cost))
}

fn of_field(variable: &'static str, field: &str) -> Result<Bound, RuleError> {
    let fields = FIELDS.iter().filter(|(of, ..)| *of == variable);
    match fields.clone().find(|(_, name, _)| *name == field) {
        Some((.., kind)) => Ok(Bound::of(*kind)),
        None => Err(RuleError::Field {
            variable,
            field: clip(field),
            fields: fields.map(|it| it.1).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn of_call(call: &CallExpr, scope: &Scope<'_>) -> Result<Bound, RuleError> {
    let given = call.target.as_deref().into_iter().chain(&call.args);
    let given = given
        .map(|it| bound(it, scope))
        .collect::<Result<Vec<_>, _>>()?;
    let all = gathered(&given);
    let value = match (call.func_name.as_str(), given.as_slice()) {
        // Of both branches only one is taken; the larger one.
        (operators::CONDITIONAL, [_, yes, no]) => Bound {
            size: yes.size.max(no.size),
            items: yes.items.max(no.items),
            item: yes.item.max(no.item),
            cost: 0,
        },
        (operators::ADD, [left, right]) => left.and(*right),
        (operators::INDEX, [list, _]) => list.part(),
        (name, _) if PLAIN.contains(&name) || FUNCTIONS.contains(&name) => Bound::plain(),
        (name, _) => return Err(RuleError::Function(clip(name))),
    };
    Ok(value.costing(all.cost))
}

/// `exists`, `exists_one` and `all`: what they keep from one turn to the next is true, false or a number.
fn of_loop(it: &ComprehensionExpr, scope: &Scope<'_>) -> Result<Bound, RuleError> {
    if !matches!(it.accu_init.expr, Expr::Literal(_)) || it.iter_var2.is_some() {
        return Err(RuleError::Function("map or filter".to_owned()));
    }
    let range = bound(&it.iter_range, scope)?;
    let item = Bound {
        size: range.item,
        ..Bound::default()
    }
    .part();
    let kept = scope.with(&it.accu_var, Bound::plain());
    let inner = kept.with(&it.iter_var, item);
    let mut turn = item.costing(0).cost;
    for node in [&it.loop_cond, &it.loop_step] {
        turn = turn.saturating_add(bound(node, &inner)?.cost);
    }
    let around = [bound(&it.accu_init, scope)?, bound(&it.result, &kept)?];
    let around = gathered(&around).cost.saturating_add(range.cost);
    let cost = turn.saturating_mul(range.items).saturating_add(around);
    Ok(Bound::plain().costing(cost))
}
