//! Who gets a package.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::{Decision, Package, PackageState, Requester, RuleOutcome, decide},
    groups, package,
};
use crate::access::Role;

fn asks(package: &Package, username: &str, of: &[&str], rule: &RuleOutcome) -> Decision {
    let roles = BTreeSet::from([Role::User]);
    let groups = groups(of);
    let user = Requester {
        username,
        roles: &roles,
        groups: &groups,
    };
    decide(package, &user, rule)
}

fn sensitive(of: &[&str]) -> Package {
    Package {
        is_sensitive: true,
        allowed_groups: groups(of),
        ..package("model")
    }
}

#[test]
fn an_open_package_is_for_everybody() {
    let decision = asks(&package("model"), "ann", &[], &RuleOutcome::None);
    assert!(decision.allowed, "{decision:?}");
}

#[test]
fn a_sensitive_package_is_for_its_groups_and_its_owner() {
    let package = sensitive(&["research", "sales"]);
    let allowed = |username, of: &[&str]| asks(&package, username, of, &RuleOutcome::None);
    assert!(
        allowed("ann", &["sales", "z"])
            .reason
            .contains("member of sales")
    );
    assert!(allowed("ann", &["sales"]).allowed && allowed("owner", &[]).allowed);
    let refused = allowed("ann", &["Research", "other"]);
    assert!(
        !refused.allowed && refused.reason.contains("ask its owner"),
        "{refused:?}"
    );
    // Without groups, the owner alone.
    assert!(!asks(&sensitive(&[]), "ann", &["research"], &RuleOutcome::None).allowed);
    assert!(asks(&sensitive(&[]), "owner", &[], &RuleOutcome::None).allowed);
    // Groups count without the word "sensitive", too.
    let named = Package {
        is_sensitive: false,
        ..package.clone()
    };
    assert!(!asks(&named, "ann", &[], &RuleOutcome::None).allowed);
}

#[test]
fn no_role_opens_a_sensitive_package() {
    let package = sensitive(&["research"]);
    let roles: BTreeSet<Role> = Role::ALL.iter().copied().collect();
    let groups = BTreeSet::new();
    let admin = Requester {
        username: "admin",
        roles: &roles,
        groups: &groups,
    };
    assert!(!decide(&package, &admin, &RuleOutcome::None).allowed);
}

#[test]
fn a_rule_binds_everybody() {
    let ruled = Package {
        rule: Some("…".into()),
        ..sensitive(&["research"])
    };
    for (username, of) in [("ann", &["research"][..]), ("owner", &[])] {
        let decided = |rule| asks(&ruled, username, of, &rule);
        assert!(decided(RuleOutcome::Passed).allowed);
        assert!(!decided(RuleOutcome::Refused).allowed);
        let failed = decided(RuleOutcome::Failed("no such key".into()));
        assert!(!failed.allowed && failed.reason.contains("no such key"));
        // Somebody forgot to evaluate it.
        assert!(!decided(RuleOutcome::None).allowed);
    }
    // Nor does it open what the groups keep closed.
    assert!(!asks(&ruled, "ann", &[], &RuleOutcome::Passed).allowed);
}

#[test]
fn what_is_not_ready_is_for_nobody() {
    for state in [PackageState::Missing, PackageState::Unverified] {
        let package = Package {
            state,
            ..package("model")
        };
        assert!(
            !asks(&package, "owner", &[], &RuleOutcome::None).allowed,
            "{state:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_yes_always_has_every_reason(
        state in prop::sample::select(vec![PackageState::Ready, PackageState::Missing, PackageState::Unverified]),
        is_sensitive: bool,
        allowed in prop::sample::subsequence(vec!["a", "b", "c"], 0..=3),
        of in prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4),
        owns: bool,
        has_rule: bool,
        rule in prop::sample::select(vec![
            RuleOutcome::None, RuleOutcome::Passed, RuleOutcome::Refused, RuleOutcome::Failed("why".into()),
        ]),
    ) {
        let package = Package {
            state,
            is_sensitive,
            allowed_groups: groups(&allowed),
            rule: has_rule.then(|| "…".into()),
            ..package("model")
        };
        let username = if owns { "owner" } else { "ann" };
        let decision = asks(&package, username, &of, &rule);
        let is_member = of.iter().any(|group| allowed.contains(group));
        let is_open = !is_sensitive && allowed.is_empty();
        let rule_agrees = rule == RuleOutcome::Passed || (rule == RuleOutcome::None && !has_rule);
        let expected = state == PackageState::Ready && (is_open || is_member || owns) && rule_agrees;
        prop_assert_eq!(decision.allowed, expected, "{}", decision.reason);
        prop_assert!(!decision.reason.is_empty());
    }
}
