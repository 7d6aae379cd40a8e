//! The bounds: the largest facts there can be are within them, and no larger ones.

use super::{
    super::{
        cost::MAX_COST,
        facts::{FIELDS, Kind, facts},
    },
    *,
};
use crate::package::upload::{MAX_DESCRIPTION, MAX_GROUPS};

/// So many groups with the longest names.
pub(super) fn many(count: usize) -> BTreeSet<GroupName> {
    let names = (0..count).map(|at| format!("{at:064}").parse().unwrap());
    names.collect()
}

#[test]
fn every_fact_is_there_and_no_other() {
    let package = package("model");
    let facts = asked(&groups(&["a"]), |user, request| {
        facts(&package, user, request)
    })
    .unwrap();
    let count: usize = facts.values().map(std::collections::HashMap::len).sum();
    assert_eq!(count, FIELDS.len());
    for (variable, field, kind) in FIELDS {
        let rule = match kind {
            Kind::Plain | Kind::Text(_) => format!("{variable}.{field} == {variable}.{field}"),
            Kind::Texts(..) => format!("{variable}.{field}.size() >= 0"),
        };
        assert_eq!(outcome(&rule), RuleOutcome::Passed, "{rule}");
    }
}

#[test]
fn facts_that_are_too_large_refuse() {
    let model = package("model");
    assert_eq!(outcome_for("true", &many(200), &model), RuleOutcome::Passed);
    let outcome = outcome_for("true", &many(201), &model);
    assert!(matches!(outcome, RuleOutcome::Failed(why) if why.contains("user.groups")));
    let described = Package {
        description: Some("é".repeat(2049)),
        ..model
    };
    let outcome = outcome_for("true", &many(1), &described);
    assert!(matches!(outcome, RuleOutcome::Failed(why) if why.contains("pkg.description")));
}

#[test]
fn what_an_upload_may_name_fits_into_the_facts() {
    let described = Package {
        description: Some("\u{10ffff}".repeat(MAX_DESCRIPTION)),
        allowed_groups: many(MAX_GROUPS),
        ..package("model")
    };
    assert_eq!(
        outcome_for("true", &many(200), &described),
        RuleOutcome::Passed
    );
}

#[test]
fn one_loop_in_another_is_fine_and_three_are_not() {
    let two = "user.groups.exists(g, pkg.allowed_groups.exists(a, a == g))";
    assert_eq!(check(two), Ok(()));
    let three =
        "user.groups.exists(a, user.groups.exists(b, user.groups.exists(c, a == b && b == c)))";
    assert!(matches!(check(three), Err(RuleError::Costly { cost, .. }) if cost > MAX_COST));
}

#[test]
fn brackets_choices_and_operators_are_counted() {
    let nested = |depth| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(check(&nested(11)), Ok(()));
    assert!(matches!(check(&nested(13)), Err(RuleError::Deep)));
    assert!(matches!(check(&nested(65)), Err(RuleError::Large { .. })));
    let choices = |count| format!("{}true", "user.name == 'a' ? false : ".repeat(count));
    assert_eq!(check(&choices(11)), Ok(()));
    assert!(matches!(check(&choices(17)), Err(RuleError::Large { .. })));
    let long = |count| format!("1{} > 0", " + 1".repeat(count));
    assert_eq!(check(&long(149)), Ok(()));
    assert!(matches!(check(&long(150)), Err(RuleError::Large { .. })));
    assert_eq!(check(&"a".repeat(4097)).unwrap_err(), RuleError::Long(4097));
    let long = format!("user.name == '{}'", "a".repeat(4000));
    assert_eq!(check(&long), Ok(()));
}
