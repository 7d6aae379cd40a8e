//! Who calls, and whose things the caller may see and change.

use std::collections::BTreeSet;

use haulout_domain::{
    access::{self, Access, Role},
    identity::{GroupName, User},
};

use crate::problem::{Code, Problem};

/// The authenticated caller; a request extension on every route that is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's name: what idempotency keys and records are scoped to.
    pub name: String,
    /// What the caller may do.
    pub roles: BTreeSet<Role>,
    /// What packages the caller may have.
    pub groups: BTreeSet<GroupName>,
    /// How many machines the caller may have; without one the deployment's limit holds.
    pub quota: Option<u32>,
    /// The session that the caller's token belongs to (its `jti`).
    pub session: Option<String>,
}

impl Caller {
    /// Somebody with these roles, and no more.
    pub fn new(name: impl Into<String>, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            name: name.into(),
            roles: roles.into_iter().collect(),
            groups: BTreeSet::new(),
            quota: None,
            session: None,
        }
    }

    /// An administrator called `admin`.
    pub fn admin() -> Self {
        Self::new("admin", [Role::Admin])
    }

    /// A user in a session.
    pub(crate) fn of(user: User, session: String) -> Self {
        Self {
            name: user.username.into(),
            roles: user.roles,
            groups: user.groups,
            quota: user.quota,
            session: Some(session),
        }
    }

    /// Whether the caller sees everybody's things.
    pub fn sees_all(&self) -> bool {
        access::may_see_all(&self.roles)
    }

    /// Whether the caller administers the deployment.
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }

    /// Lets a caller with a role for it pass.
    ///
    /// # Errors
    /// A 403 that names the roles of which one is needed.
    pub fn may(&self, access: Access) -> Result<(), Problem> {
        if access::admits(access, &self.roles) {
            return Ok(());
        }
        let needed = or(access.roles());
        let held = match &self
            .roles
            .iter()
            .map(|role| role.as_str())
            .collect::<Vec<_>>()[..]
        {
            [] => "none".to_owned(),
            held => held.join(", "),
        };
        Err(Problem::new(
            Code::Forbidden,
            format!(
                "This needs the role {needed}; you have {held}. Ask an administrator of the deployment for it."
            ),
        ))
    }

    /// Lets a caller see what `owner` made.
    ///
    /// # Errors
    /// A 403 when it is somebody else's, and the caller sees own things only.
    pub fn may_see(&self, owner: &str) -> Result<(), Problem> {
        if access::may_see(&self.roles, &self.name, owner) {
            return Ok(());
        }
        Err(not_yours(
            "see",
            &[Role::Reader, Role::Operator, Role::Admin],
        ))
    }

    /// Lets a caller change what `owner` made.
    ///
    /// # Errors
    /// A 403 when it is somebody else's, or the caller changes nothing at all.
    pub fn may_change(&self, owner: &str) -> Result<(), Problem> {
        if access::may_change(&self.roles, &self.name, owner) {
            return Ok(());
        }
        Err(not_yours("change", &[Role::Operator, Role::Admin]))
    }
}

/// Whose it is, is nobody else's business.
fn not_yours(what: &str, others: &[Role]) -> Problem {
    let others = or(others);
    Problem::new(
        Code::NotYours,
        format!(
            "This is not yours to {what}. Use one of your own, or ask somebody with the role {others}."
        ),
    )
}

/// `a`, `a or b`, `a, b or c`.
fn or(roles: &[Role]) -> String {
    let words: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    match &words[..] {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        words => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_roles_of_which_one_is_needed() {
        let reader = Caller::new("ann", [Role::Reader]);
        let refusal = reader.may(Access::Use).unwrap_err();
        assert_eq!(refusal.code(), Code::Forbidden);
        assert_eq!(
            refusal.detail(),
            "This needs the role user, operator or admin; you have reader. Ask an administrator of the deployment for it."
        );
        let refusal = Caller::new("ann", []).may(Access::Administer).unwrap_err();
        assert!(
            refusal.detail().contains("role admin; you have none"),
            "{}",
            refusal.detail()
        );
        assert!(reader.may(Access::Read).is_ok());
    }

    #[test]
    fn what_is_somebody_elses_is_refused_without_naming_whose_it_is() {
        let user = Caller::new("ann", [Role::User]);
        assert!(user.may_see("ann").is_ok() && user.may_change("ann").is_ok());
        for refusal in [user.may_see("bob"), user.may_change("bob")] {
            let refusal = refusal.unwrap_err();
            assert_eq!(refusal.code(), Code::NotYours);
            assert!(!refusal.detail().contains("bob"), "{}", refusal.detail());
        }
        let operator = Caller::new("ann", [Role::Operator]);
        assert!(operator.may_see("bob").is_ok() && operator.may_change("bob").is_ok());
    }
}
