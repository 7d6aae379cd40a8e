//! What callers are told when the answer is no.

use haulout_api::{Code, Problem};
use haulout_aws::directory::DirectoryError;
use haulout_domain::identity::{IdentityError, Username, throttle::seconds_until};
use http::{HeaderValue, header::WWW_AUTHENTICATE};
use jiff::Timestamp;

/// A failed operation of the directory behind a request.
pub(crate) fn directory(error: DirectoryError) -> Problem {
    match error {
        DirectoryError::Aws(error) => error.into(),
        DirectoryError::Conflict(_) => kept_changing().because(error),
        DirectoryError::Shape(_) => Problem::internal(error),
    }
}

/// Others write the same.
pub(crate) fn kept_changing() -> Problem {
    Problem::unavailable(
        "Other requests kept changing this user. Send the request again after the time in Retry-After.",
        1,
    )
}

/// A name or a password that nobody may choose.
pub(crate) fn invalid(field: &str, error: &IdentityError) -> Problem {
    Problem::new(
        Code::InvalidBody,
        format!("Body, field `{field}`: {error}."),
    )
}

/// A name in a path that nobody can have.
pub(crate) fn invalid_path(error: &IdentityError) -> Problem {
    Problem::new(Code::InvalidPath, format!("Path: {error}."))
}

/// The same for a user that is not there and a password that is wrong.
pub(crate) fn wrong_credentials() -> Problem {
    Problem::new(
        Code::WrongCredentials,
        "There is no such user, or the password is wrong. Check both; an administrator can give the user another password.",
    )
    .with_header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"haulout\""),
    )
}

/// Too many wrong passwords in a row.
pub(crate) fn too_many_attempts(until: Timestamp, now: Timestamp) -> Problem {
    Problem::new(
        Code::TooManyAttempts,
        "Too many wrong passwords in a row from this address. Try again after the time in Retry-After.",
    )
    .retry_after(seconds_until(until, now))
}

/// A service signs its requests: it has no account, no password and no session.
pub(crate) fn no_account(caller: &str) -> Problem {
    Problem::new(
        Code::Forbidden,
        format!(
            "{caller} is a service without an account: this is for users with a token of POST /login."
        ),
    )
}

/// Only administrators make users.
pub(crate) fn registration_closed() -> Problem {
    Problem::new(
        Code::RegistrationClosed,
        "In this deployment only an administrator registers users: ask one for an account.",
    )
}

/// Somebody has the name.
pub(crate) fn username_taken(username: &Username) -> Problem {
    Problem::new(
        Code::UsernameTaken,
        format!(
            "The username {username} is taken. Choose another one, or log in with POST /login if it is yours."
        ),
    )
}

/// The key belongs to another request.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key came with another request before, or the user it made is gone. Send a new key with a new request.",
    )
}

/// Nobody has the name.
pub(crate) fn unknown_user(username: &Username) -> Problem {
    Problem::new(
        Code::UnknownUser,
        format!("There is no user {username}. GET /users lists those there are."),
    )
}

/// What an administrator may do to others only.
pub(crate) fn own_account(what: &str) -> Problem {
    Problem::new(
        Code::OwnAccount,
        format!(
            "Nobody may {what}, so that the deployment is never without an administrator. Ask another administrator to do it."
        ),
    )
}

/// Whoever changes the own password shows the present one.
pub(crate) fn own_password() -> Problem {
    Problem::new(
        Code::OwnAccount,
        "Nobody changes the own password in this way. Use PATCH /me, which asks for the present one.",
    )
}

/// Whoever asked is no administrator any more.
pub(crate) fn no_admin_any_more() -> Problem {
    Problem::new(
        Code::Forbidden,
        "This needs the role admin, and you have it no more. Ask an administrator of the deployment for it.",
    )
}

/// The session ended while the request was on its way.
pub(crate) fn session_over() -> Problem {
    Problem::new(
        Code::InvalidToken,
        "The token's session is over. Log in again with POST /login.",
    )
    .with_header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"haulout\", error=\"invalid_token\""),
    )
}
