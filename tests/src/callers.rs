//! Callers that are known by made-up tokens, for tests of what is behind the door.

use std::pin::Pin;

use haulout_api::{
    Auth,
    auth::{AuthError, Authenticate, Caller},
    keys::TokenError,
};
use haulout_domain::access::Role;

/// The token of the administrator `admin`.
pub const TOKEN: &str = "a-token-for-the-tests";

/// Knows these tokens' callers, and nobody else.
#[derive(Debug, Clone)]
pub struct Callers(Vec<(String, Caller)>);

impl Callers {
    /// The administrator alone, by [`TOKEN`].
    pub fn admin() -> Self {
        Self(vec![(TOKEN.to_owned(), Caller::admin())])
    }

    /// The administrator, and one of each kind, whose token is the name: `reader`, `operator`, the users `ann` and `bob`,
    /// and `nobody`, who has no role.
    pub fn cast() -> Self {
        let others = [
            Caller::new("reader", [Role::Reader]),
            Caller::new("operator", [Role::Operator]),
            Caller::new("ann", [Role::User]),
            Caller::new("bob", [Role::User]),
            Caller::new("nobody", []),
        ];
        others.into_iter().fold(Self::admin(), Self::and)
    }

    /// And somebody else, whose token is the name.
    #[must_use]
    pub fn and(mut self, caller: Caller) -> Self {
        self.0.push((caller.name.clone(), caller));
        self
    }

    /// As a way to tell callers.
    pub fn auth(self) -> Auth {
        Auth::new(self)
    }
}

impl Authenticate for Callers {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>> {
        let known = self.0.iter().find(|(its, _)| its == token);
        let caller = known.map(|(_, caller)| caller.clone());
        Box::pin(async { caller.ok_or(AuthError::Rejected(TokenError::UnknownKey)) })
    }
}
