//! Whether somebody gets a package.

use std::collections::BTreeSet;

use super::record::{Package, PackageState};
use crate::{access::Role, identity::GroupName};

/// Who asks for a package.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// As whom.
    pub username: &'a str,
    /// What they may do.
    pub roles: &'a BTreeSet<Role>,
    /// Where they are members.
    pub groups: &'a BTreeSet<GroupName>,
}

/// What came of a package's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOutcome {
    /// The package has none.
    None,
    /// It says yes.
    Passed,
    /// It says no.
    Refused,
    /// It says nothing: it failed, took too long, or gave something other than true or false.
    Failed(String),
}

/// Whether somebody gets a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// They do.
    pub allowed: bool,
    /// Why, or why not; fit for a caller and for the history.
    pub reason: String,
}

impl Decision {
    fn yes(reason: impl Into<String>) -> Self {
        let (allowed, reason) = (true, reason.into());
        Self { allowed, reason }
    }

    fn no(reason: impl Into<String>) -> Self {
        let (allowed, reason) = (false, reason.into());
        Self { allowed, reason }
    }
}

/// Whether this user gets this package. Its groups bind everybody but the owner, administrators too: who administers
/// packages need not read them. Its rule binds everybody.
pub fn decide(package: &Package, user: &Requester<'_>, rule: &RuleOutcome) -> Decision {
    if let Err(why) = of_state(package.state) {
        return Decision::no(why);
    }
    let admitted = match admit(package, user) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal,
    };
    match rule {
        RuleOutcome::Failed(why) => Decision::no(format!("the package's rule failed: {why}")),
        RuleOutcome::Refused => Decision::no("the package's rule refuses it"),
        RuleOutcome::None if package.rule.is_some() => {
            Decision::no("the package's rule was not evaluated")
        }
        RuleOutcome::Passed => Decision::yes(format!("{admitted}, and its rule passed")),
        RuleOutcome::None => Decision::yes(admitted),
    }
}

/// Whether a package in this state can be had by anybody; why not, and what to do about it.
pub(super) const fn of_state(state: PackageState) -> Result<(), &'static str> {
    match state {
        PackageState::Ready => Ok(()),
        PackageState::Missing => Err(
            "the package's archive is not in the bucket any more: upload it again under another version",
        ),
        PackageState::Unverified => Err(
            "the package's archive was not inspected yet: an administrator can start that with POST /packages/sync",
        ),
    }
}

/// Whether the package's groups let them have it, and by what.
fn admit(package: &Package, user: &Requester<'_>) -> Result<String, Decision> {
    if !package.is_restricted() {
        return Ok("the package is open to every user".to_owned());
    }
    if package.owner == user.username {
        return Ok(format!("{} owns the package", user.username));
    }
    let mut common = package.allowed_groups.intersection(user.groups);
    match common.next() {
        Some(group) => Ok(format!("{} is a member of {group}", user.username)),
        None => Err(Decision::no(format!(
            "the package is only for its owner and members of its groups, and {} is in none of them: ask its owner for access",
            user.username
        ))),
    }
}
