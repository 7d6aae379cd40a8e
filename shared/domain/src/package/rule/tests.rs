//! Tests of rules: what they say, and that none of them stops the function that evaluates it.

mod bounds;
mod hostile;

use std::collections::BTreeSet;

use super::{Request, RuleError, check, evaluate};
use crate::{
    access::Role,
    identity::GroupName,
    package::{
        Package, Requester, RuleOutcome,
        tests::{groups, package},
    },
};

/// Sunday, 22 November 2026.
const NOW: &str = "2026-11-22T13:45:00Z";

/// What comes of a rule for Ann, a member of research and of team-a.
fn outcome(rule: &str) -> RuleOutcome {
    outcome_for(rule, &groups(&["research", "team-a"]), &package("model"))
}

fn outcome_for(rule: &str, groups: &BTreeSet<GroupName>, package: &Package) -> RuleOutcome {
    let mut package = package.clone();
    package.rule = Some(rule.to_owned());
    asked(groups, |user, request| evaluate(&package, user, request))
}

/// What Ann gets to hear.
fn asked<T>(
    groups: &BTreeSet<GroupName>,
    ask: impl FnOnce(&Requester<'_>, &Request<'_>) -> T,
) -> T {
    let roles = BTreeSet::from([Role::User]);
    let user = Requester {
        username: "ann",
        roles: &roles,
        groups,
    };
    let request = Request {
        now: NOW.parse().unwrap(),
        address: "192.0.2.7",
    };
    ask(&user, &request)
}

fn refused(rule: &str) -> String {
    check(rule).expect_err(rule).to_string()
}

#[test]
fn rules_say_yes() {
    for rule in [
        "true",
        "user.name == 'ann'",
        "'research' in user.groups",
        "'user' in user.roles && !('admin' in user.roles)",
        "user.groups.exists(group, group.startsWith('team-'))",
        "user.groups.all(group, size(group) < 20)",
        "user.groups.exists_one(group, group.endsWith('-a'))",
        "user.groups.exists(g, g in ['research', 'sales'])",
        "pkg.name == 'model' && pkg.version == '1.0.0' && pkg.owner == 'owner'",
        "pkg.size_bytes < 5 * 1000 * 1000 && pkg.entries == 3",
        "!pkg.is_sensitive && pkg.has_script && pkg.allowed_groups.size() == 0",
        "request.hour == 13 && request.weekday == 7 && request.time > 1795000000",
        "request.address.startsWith('192.0.2.')",
        "user.name + '@' + pkg.name == 'ann@model'",
        "request.weekday > 5 ? request.hour > 12 : false",
        "user.groups[0] == 'research'",
        "{'ann': true, 'bob': false}[user.name]",
        "{'a': {'b': true}}.a.b && has({'c': 1}.c)",
        "pkg.description.contains('weights')",
        // A loop may call what it goes through like a variable.
        "user.groups.exists(user, user == 'research')",
        // An error counts for nothing where the other side decides (CEL's own rule).
        "user.groups[7] == 'x' || true",
    ] {
        assert_eq!(outcome(rule), RuleOutcome::Passed, "{rule}");
    }
}

#[test]
fn rules_say_no() {
    for rule in [
        "false",
        "user.name == 'Ann'",
        "'sales' in user.groups",
        "user.groups.exists(group, group == '')",
        "request.hour < 6 || request.hour > 20",
    ] {
        assert_eq!(outcome(rule), RuleOutcome::Refused, "{rule}");
    }
}

#[test]
fn what_goes_wrong_is_no_yes() {
    for rule in [
        "user.groups[7] == 'x'",
        "pkg.entries / 0 == 1",
        "9223372036854775807 + pkg.entries > 0",
        "pkg.entries == 1 / (pkg.entries - 3)",
        "user.name > 5",
        "user.name",
        "user.groups",
        "{'a': 1}.b == 1",
        "'a'.size() && true",
        "user.groups.all(group, group)",
        "!user.name",
        "request.hour ? true : true",
    ] {
        let outcome = outcome(rule);
        let RuleOutcome::Failed(why) = outcome else {
            panic!("{rule}: {outcome:?}");
        };
        assert!(!why.is_empty() && why.chars().count() <= 80, "{why}");
    }
}

#[test]
fn a_package_without_a_rule_has_no_outcome() {
    let package = package("model");
    let outcome = asked(&groups(&[]), |user, request| {
        evaluate(&package, user, request)
    });
    assert_eq!(outcome, RuleOutcome::None);
}

#[test]
fn a_rule_in_a_record_is_held_to_today_s_bounds() {
    let outcome = outcome("user.groups.map(g, g).size() > 0");
    assert!(matches!(outcome, RuleOutcome::Failed(why) if why.contains("map")));
}

#[test]
fn mistakes_are_told_before_a_rule_is_kept() {
    for (rule, says) in [
        ("", "cannot be read"),
        ("user.groups ==", "cannot be read"),
        ("user.name == 'ann", "cannot be read"),
        ("allow if true", "cannot be read"),
        ("usr.name == 'ann'", "'usr'"),
        ("user.nam == 'ann'", "user has name, roles, groups"),
        ("package.entries > 3", "there are pkg"),
        ("user == pkg", "pkg, user and request"),
        ("has(user.age)", "does not exist"),
        ("now() > 5", "'now'"),
        ("user.name.matches('(a+)+$')", "'matches'"),
        ("user.groups.map(g, g + g).size() > 0", "map or filter"),
        ("user.groups.filter(g, true).size() > 0", "map or filter"),
        ("int(user.name) > 0", "'int'"),
        ("type(user.name) == 'string'", "'type'"),
        ("user.name == string", "'string'"),
        ("Thing{name: 'a'} == Thing{}", "Thing"),
        ("user.?name == 'ann'", "cannot be read"),
        ("1", "true or false"),
        ("'yes'", "true or false"),
        ("pkg.entries + 1", "true or false"),
        ("size(user.groups)", "true or false"),
        ("[true]", "true or false"),
    ] {
        let said = refused(rule);
        assert!(said.contains(says), "{rule}: {said}");
        assert!(!said.contains('\n') && said.chars().count() < 400, "{said}");
    }
}
