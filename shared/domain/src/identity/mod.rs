//! Who may call: users with their passwords' hashes, roles and groups ([`user`]), how often a password may be guessed
//! ([`throttle`]), and what a token says and how long it holds ([`token`]).

pub mod throttle;
pub mod token;
pub mod user;
#[cfg(test)]
mod user_tests;

pub use self::{
    throttle::Attempts,
    token::{Claims, Session, TOKEN_LIFETIME},
    user::{
        GroupName, IdentityError, PASSWORD_CHARACTERS, User, UserChange, Username, check_password,
    },
};
