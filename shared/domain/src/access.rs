//! Who may do what: roles, what each route asks for, and whose things somebody may see and change.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::status::words;

words! {
    /// What somebody is there for. Nobody needs a second role to do what a higher one may.
    Role, "role" {
        /// Sees everything but the users, and changes nothing.
        Reader = "reader",
        /// Creates machines, claims and packages; sees and changes these, and nobody else's.
        User = "user",
        /// Sees and changes everybody's machines, claims and packages.
        Operator = "operator",
        /// All that, and users, the pool's bounds, draining and taking stock of packages.
        Admin = "admin",
    }
}

/// What a route asks of its caller. Whose things a caller gets to see behind it, the handler asks [`may_see`] and
/// [`may_change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// Nothing.
    Public,
    /// A good token, whatever its roles.
    SignedIn,
    /// Any role.
    Read,
    /// A role that makes and changes things.
    Use,
    /// A role that changes others' things.
    Operate,
    /// The role `admin`.
    Administer,
}

/// Every route, by method and path template, and what it asks for. One that is missing here is closed.
pub const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/", Access::Public),
    ("GET", "/docs", Access::Public),
    ("GET", "/docs/", Access::Public),
    ("GET", "/docs/{asset}", Access::Public),
    ("GET", "/health", Access::Public),
    ("GET", "/openapi.json", Access::Public),
    // Identity.
    ("POST", "/register", Access::Public),
    ("POST", "/login", Access::Public),
    ("GET", "/me", Access::SignedIn),
    ("PATCH", "/me", Access::SignedIn),
    ("POST", "/logout", Access::SignedIn),
    ("GET", "/users", Access::Administer),
    ("PATCH", "/users/{username}", Access::Administer),
    ("DELETE", "/users/{username}", Access::Administer),
    // Machines.
    ("GET", "/instances", Access::Read),
    ("POST", "/instances", Access::Use),
    ("GET", "/instances/{id}", Access::Read),
    ("DELETE", "/instances/{id}", Access::Use),
    ("POST", "/instances/{id}/start", Access::Use),
    ("POST", "/instances/{id}/stop", Access::Use),
    ("GET", "/instances/{id}/metrics", Access::Read),
    ("GET", "/api/instances", Access::Read),
    ("POST", "/api/instances", Access::Use),
    ("GET", "/api/instances/{id}", Access::Read),
    ("DELETE", "/api/instances/{id}", Access::Use),
    ("POST", "/api/instances/{id}/start", Access::Use),
    ("POST", "/api/instances/{id}/stop", Access::Use),
    ("GET", "/api/instances/{id}/metrics", Access::Read),
    ("GET", "/drain", Access::Read),
    ("POST", "/drain", Access::Administer),
    ("DELETE", "/drain", Access::Administer),
    // The pool. The old way to claim is a GET that changes something.
    ("GET", "/{project_id}", Access::Use),
    ("PUT", "/projects/{project_id}/machine", Access::Use),
    ("GET", "/projects/{project_id}/machine", Access::Read),
    ("DELETE", "/projects/{project_id}/machine", Access::Use),
    ("GET", "/pool", Access::Read),
    ("PUT", "/pool", Access::Administer),
    ("GET", "/status", Access::Read),
    ("POST", "/destroy", Access::Use),
    // Packages. Whether somebody may have one, the package's own rules say.
    ("POST", "/init", Access::Use),
    ("POST", "/part/{upload_id}", Access::Use),
    ("POST", "/commit/{upload_id}", Access::Use),
    ("POST", "/abort/{upload_id}", Access::Use),
    ("GET", "/uploads/{upload_id}", Access::Read),
    ("POST", "/register-package", Access::Operate),
    ("GET", "/packages", Access::Read),
    ("POST", "/packages/sync", Access::Administer),
    ("GET", "/packages/{name}/{version}", Access::Read),
    ("DELETE", "/packages/{name}/{version}", Access::Use),
    ("GET", "/download/{name}/{version}", Access::Read),
    ("POST", "/validate", Access::Read),
    // A machine shows its ticket, and has nothing else.
    ("POST", "/tickets/redeem", Access::Public),
    ("GET", "/history/{user_id}", Access::Read),
];

/// What a route asks for. HEAD asks for what GET does. `None` is a route nobody wrote down: it is to be refused.
pub fn access_of(method: &str, template: &str) -> Option<Access> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES
        .iter()
        .find(|(its_method, its_template, _)| *its_method == method && *its_template == template)
        .map(|(_, _, access)| *access)
}

impl Access {
    /// The roles of which a caller needs one; none where roles do not matter.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Public | Self::SignedIn => &[],
            Self::Read => Role::ALL,
            Self::Use => &[Role::User, Role::Operator, Role::Admin],
            Self::Operate => &[Role::Operator, Role::Admin],
            Self::Administer => &[Role::Admin],
        }
    }
}

/// Whether somebody with these roles may call a route that asks for this.
pub fn admits(access: Access, roles: &BTreeSet<Role>) -> bool {
    let needed = access.roles();
    needed.is_empty() || has_one_of(roles, needed)
}

/// Whether somebody may see everybody's things.
pub fn may_see_all(roles: &BTreeSet<Role>) -> bool {
    has_one_of(roles, &[Role::Reader, Role::Operator, Role::Admin])
}

/// Whether `name` may see what `owner` made: his own, or everybody's.
pub fn may_see(roles: &BTreeSet<Role>, name: &str, owner: &str) -> bool {
    name == owner || may_see_all(roles)
}

/// Whether `name` may change what `owner` made: his own while he is a user, or everybody's.
pub fn may_change(roles: &BTreeSet<Role>, name: &str, owner: &str) -> bool {
    let own = name == owner && roles.contains(&Role::User);
    own || has_one_of(roles, &[Role::Operator, Role::Admin])
}

fn has_one_of(roles: &BTreeSet<Role>, wanted: &[Role]) -> bool {
    wanted.iter().any(|role| roles.contains(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(roles: &[Role]) -> BTreeSet<Role> {
        roles.iter().copied().collect()
    }

    #[test]
    fn each_role_is_admitted_to_what_it_is_there_for() {
        use Access::{Administer, Operate, Public, Read, SignedIn, Use};
        let cases: [(&[Role], &[Access]); 6] = [
            (&[], &[Public, SignedIn]),
            (&[Role::Reader], &[Public, SignedIn, Read]),
            (&[Role::User], &[Public, SignedIn, Read, Use]),
            (&[Role::Reader, Role::User], &[Public, SignedIn, Read, Use]),
            (&[Role::Operator], &[Public, SignedIn, Read, Use, Operate]),
            (
                &[Role::Admin],
                &[Public, SignedIn, Read, Use, Operate, Administer],
            ),
        ];
        for (held, admitted) in cases {
            for access in [Public, SignedIn, Read, Use, Operate, Administer] {
                assert_eq!(
                    admits(access, &roles(held)),
                    admitted.contains(&access),
                    "{held:?} at {access:?}"
                );
            }
        }
    }

    #[test]
    fn own_things_are_a_users_and_others_an_operators() {
        // Roles, and whether they see own, see others', change own, change others'.
        let cases: [(&[Role], [bool; 4]); 6] = [
            (&[], [true, false, false, false]),
            (&[Role::Reader], [true, true, false, false]),
            (&[Role::User], [true, false, true, false]),
            (&[Role::Reader, Role::User], [true, true, true, false]),
            (&[Role::Operator], [true, true, true, true]),
            (&[Role::Admin], [true, true, true, true]),
        ];
        for (held, expected) in cases {
            let held_roles = roles(held);
            let found = [
                may_see(&held_roles, "ann", "ann"),
                may_see(&held_roles, "ann", "bob"),
                may_change(&held_roles, "ann", "ann"),
                may_change(&held_roles, "ann", "bob"),
            ];
            assert_eq!(found, expected, "{held:?}");
        }
    }

    #[test]
    fn a_route_is_written_down_once_and_one_that_is_not_is_closed() {
        let distinct: BTreeSet<_> = ROUTES.iter().map(|route| (route.0, route.1)).collect();
        assert_eq!(distinct.len(), ROUTES.len());
        assert_eq!(access_of("HEAD", "/instances"), Some(Access::Read));
        assert_eq!(access_of("PUT", "/instances"), None);
        assert_eq!(access_of("GET", "/instances/"), None);
        assert_eq!(access_of("get", "/instances"), None);
    }

    #[test]
    fn roles_are_written_in_lower_case() {
        let json = serde_json::to_string(&roles(Role::ALL)).unwrap();
        assert_eq!(json, r#"["reader","user","operator","admin"]"#);
    }
}
