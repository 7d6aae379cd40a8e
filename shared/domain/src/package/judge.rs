//! The whole judgement: a package's rule, and then all the rest. The same for whoever downloads a package, has one
//! staged, or only asks.

use super::{
    decide::{Decision, Requester, RuleOutcome, decide},
    record::Package,
    rule::{Request, evaluate},
};

/// Whether a user gets a package, and what its rule says.
pub fn judge(
    package: &Package,
    user: &Requester<'_>,
    request: &Request<'_>,
) -> (Decision, RuleOutcome) {
    let outcome = evaluate(package, user, request);
    (decide(package, user, &outcome), outcome)
}
