//! What an action answers: a body, or an error with AWS's code and status.

use std::borrow::Cow;

use super::state::Call;

/// An error as AWS words it: a code, a message and an HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
    pub(super) status: u16,
}

impl ApiError {
    /// A client error: status 400, which EC2 and Systems Manager use for nearly all of them.
    pub(super) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            message: message.into(),
            status: 400,
        }
    }
}

/// One action of a service: its name and what it does with a parsed request of type `I`.
pub(super) struct Action<I: ?Sized, O> {
    pub(super) name: &'static str,
    /// Top-level parameters it understands; others are refused, so that nothing asked for is silently ignored.
    pub(super) parameters: &'static [&'static str],
    pub(super) run: fn(&mut Call<'_>, &I) -> Result<O, ApiError>,
}
