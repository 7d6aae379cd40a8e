//! A condition on who gets a package: an expression in CEL (the Common Expression Language, cel.dev) such as
//!
//! ```text
//! "research" in user.groups || user.name == pkg.owner
//! pkg.size_bytes < 1000 * 1000 * 1000 && request.hour >= 6
//! user.groups.exists(group, group.startsWith("team-"))
//! ```
//!
//! Anybody who uploads a package writes one, and it runs in a function that serves everybody. So it is held in bounds
//! before it runs, by its text alone: short and flat enough for the parser (`limits`), nothing in it but what is
//! named in `cost`, and what that costs at worst, with the largest facts there can be. No clock is needed to stop one.
//! Whatever goes wrong refuses the package.

mod bound;
mod cost;
mod facts;
mod limits;
#[cfg(test)]
mod tests;

use std::thread;

use cel::{Context, Env, ParseErrors, Value, parser::Parser};

pub use self::facts::Request;
use super::{
    decide::{Requester, RuleOutcome},
    record::Package,
    text::clip,
    upload::MAX_RULE,
};

/// Why a rule is not accepted. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Too long.
    #[error("the rule has {0} bytes: give at most {MAX_RULE}")]
    Long(usize),
    /// Too much for the parser.
    #[error("the rule has {found} {what}, allowed are {allowed}: make it simpler")]
    Large {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// Brackets within brackets.
    #[error(
        "the rule nests too deep, allowed are {} brackets within each other: make it simpler",
        limits::MAX_DEPTH
    )]
    Deep,
    /// Not CEL.
    #[error("the rule cannot be read: {0}. It is to be an expression in CEL (cel.dev)")]
    Syntax(String),
    /// A name that is not known.
    #[error(
        "the rule uses '{0}': there are pkg, user and request, and their fields, such as user.groups"
    )]
    Name(String),
    /// A field that is not known.
    #[error("the rule uses '{variable}.{field}', which does not exist: {variable} has {fields}")]
    Field {
        /// Of what.
        variable: &'static str,
        /// Which one.
        field: String,
        /// What there is.
        fields: String,
    },
    /// A function that is not known, or is not allowed.
    #[error(
        "the rule uses '{0}', which rules do not have: there are size, contains, startsWith, endsWith, exists, exists_one, all and has"
    )]
    Function(String),
    /// Neither true nor false can come of it.
    #[error("the rule does not give true or false: compare what it gives with something")]
    NoCondition,
    /// It could take too long.
    #[error(
        "the rule could cost {cost} steps, allowed are {allowed}: take out nested loops and long lists"
    )]
    Costly {
        /// At worst.
        cost: u64,
        /// At most.
        allowed: u64,
    },
}

/// Bytes of stack for a rule: more than twice what the worst of those within bounds takes without optimisation. It
/// has a thread of its own, as nobody knows how much of the caller's is left; and the parser is not ours: should it
/// panic, that ends there too.
const STACK: usize = 16 << 20;

fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        builder.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Whether a rule would be accepted.
pub fn check(text: &str) -> Result<(), RuleError> {
    // What is far too large is told without a thread.
    limits::check(text)?;
    apart(|| Rule::read(text).map(drop))
        .unwrap_or_else(|| Err(RuleError::Syntax("the parser gave up".to_owned())))
}

/// What comes of a package's rule. It is read anew each time: what stands in a record may be from before a bound was
/// drawn tighter.
pub fn evaluate(package: &Package, user: &Requester<'_>, request: &Request<'_>) -> RuleOutcome {
    let Some(text) = package.rule.as_deref() else {
        return RuleOutcome::None;
    };
    let work = || match Rule::read(text) {
        Ok(rule) => rule.evaluate(package, user, request),
        Err(error) => RuleOutcome::Failed(error.to_string()),
    };
    apart(work).unwrap_or_else(|| RuleOutcome::Failed("it could not be evaluated".to_owned()))
}

/// A rule that was read and is within bounds.
#[derive(Debug)]
struct Rule {
    expression: cel::IdedExpr,
}

impl Rule {
    /// Reads a rule.
    fn read(text: &str) -> Result<Self, RuleError> {
        limits::check(text)?;
        let parser = Parser::new().max_recursion_depth(limits::MAX_DEPTH);
        let expression = parser.parse(text).map_err(|errors| unreadable(&errors))?;
        cost::check(&expression)?;
        Ok(Self { expression })
    }

    /// Whether this user gets this package, as far as the rule is concerned.
    fn evaluate(
        &self,
        package: &Package,
        user: &Requester<'_>,
        request: &Request<'_>,
    ) -> RuleOutcome {
        let facts = match facts::facts(package, user, request) {
            Ok(facts) => facts,
            Err(too_large) => return RuleOutcome::Failed(too_large.to_string()),
        };
        let mut context = Context::with_env(Env::stdlib().into());
        for (variable, fields) in facts {
            context.add_variable_from_value(variable, fields);
        }
        match context.resolve(&self.expression) {
            Ok(Value::Bool(true)) => RuleOutcome::Passed,
            Ok(Value::Bool(false)) => RuleOutcome::Refused,
            Ok(_) => RuleOutcome::Failed("it gave something other than true or false".to_owned()),
            Err(error) => RuleOutcome::Failed(clip(&error.to_string())),
        }
    }
}

/// What the parser says, in words for a caller.
fn unreadable(errors: &ParseErrors) -> RuleError {
    let first = errors.errors.first().map_or("", |error| error.msg.as_str());
    if first.contains("Recursion limit") {
        return RuleError::Deep;
    }
    match first.strip_prefix("reserved identifier: ") {
        Some(name) => RuleError::Name(clip(name)),
        None => RuleError::Syntax(clip(first.strip_prefix("Syntax error: ").unwrap_or(first))),
    }
}
