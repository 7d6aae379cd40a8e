//! What a text may be before a parser sees it. The parser calls itself for what stands within brackets and behind a
//! question mark, and what it makes is walked the same way: a stack that is full ends the process, and nothing catches
//! that. Everything is counted as if there were no strings, which is simple, and for a rule that can be read never too
//! little.

use super::{MAX_RULE, RuleError};

/// How deep brackets may nest.
pub(super) const MAX_DEPTH: u16 = 12;
/// How many brackets may be opened in all.
const MAX_BRACKETS: usize = 64;
/// How many choices (`? :`) there may be.
const MAX_CHOICES: usize = 16;
/// How many operators. Each may make what the parser builds a step deeper.
const MAX_OPERATORS: usize = 150;

/// Refuses what could be too much for the parser.
pub(super) fn check(text: &str) -> Result<(), RuleError> {
    if text.len() > MAX_RULE {
        return Err(RuleError::Long(text.len()));
    }
    let is_opening = |c: &char| matches!(c, '(' | '[' | '{');
    let counts = [
        (
            "brackets",
            text.chars().filter(is_opening).count(),
            MAX_BRACKETS,
        ),
        ("choices (? :)", text.matches('?').count(), MAX_CHOICES),
        ("operators", operators(text), MAX_OPERATORS),
    ];
    match counts
        .into_iter()
        .find(|(_, found, allowed)| found > allowed)
    {
        Some((what, found, allowed)) => Err(RuleError::Large {
            what,
            found,
            allowed,
        }),
        None => Ok(()),
    }
}

/// Signs, those of two characters once, and the word `in`.
fn operators(text: &str) -> usize {
    const TWO: [&str; 6] = ["&&", "||", "==", "!=", "<=", ">="];
    let signs = text
        .chars()
        .filter(|c| "+-*/%<>=!&|.?".contains(*c))
        .count();
    let twice: usize = TWO.iter().map(|sign| text.matches(sign).count()).sum();
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    signs - twice + words.filter(|word| *word == "in").count()
}
