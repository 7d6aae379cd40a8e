//! Who may call: users with their passwords' hashes, roles and groups ([`user`]), how often a password may be guessed
//! ([`throttle`]), what a token says and how long it holds ([`token`]), and how services are called ([`service`]).

pub mod service;
pub mod throttle;
pub mod token;
pub mod user;
#[cfg(test)]
mod user_tests;

pub use self::{
    service::ServiceName,
    throttle::Attempts,
    token::{Claims, Session, TOKEN_LIFETIME},
    user::{
        GroupName, IdentityError, PASSWORD_CHARACTERS, User, UserChange, Username, check_password,
    },
};
