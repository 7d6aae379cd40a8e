//! Passwords, and their hashes: argon2id (RFC 9106) with the parameters that OWASP's Password Storage Cheat Sheet asks
//! for. A hash carries its own parameters; one made with others is made anew when its password comes by.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error as HashError, phc},
};
use haulout_domain::{
    digest::sha256_hex,
    identity::{IdentityError, check_password},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use subtle::ConstantTimeEq;
use tokio::task::{JoinError, spawn_blocking};

/// Salt and output of a hash that no password is known for: whoever is not there is looked at as long as whoever is.
const NOBODYS: &str = "aGF1bG91dC1ub2JvZHkhIQ$G5PMIr0ONPS8hGn5E3Zg4O1jW2sF0k5mQvV7uTzYb1E";

/// A password. Its `Debug` form says nothing, and no error repeats it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Wraps one.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// Whether somebody may choose it.
    pub(crate) fn check(&self) -> Result<(), IdentityError> {
        check_password(&self.0)
    }

    /// The same; how long that takes tells nothing of where they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let digest = |password: &Self| sha256_hex(password.0.as_bytes());
        let (one, two) = (digest(self), digest(other));
        one.as_bytes().ct_eq(two.as_bytes()).into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Any: asked for a string, a parser would itself name the number that came instead.
        deserializer.deserialize_any(Text)
    }
}

/// Reads a text. Serde's own errors would repeat what came instead.
struct Text;

impl Text {
    fn refuse<E: Error>() -> Result<Password, E> {
        Err(E::custom("a password is a string: put it in quotes"))
    }
}

impl Visitor<'_> for Text {
    type Value = Password;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Password, E> {
        Ok(Password::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Password, E> {
        Ok(Password(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Password, E> {
        Self::refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Password, E> {
        Self::refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Password, E> {
        Self::refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Password, E> {
        Self::refuse()
    }
}

/// A hash could not be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// The algorithm.
    #[error("a password could not be hashed")]
    Hash(#[from] HashError),
    /// A stored hash.
    #[error("a password's hash could not be read")]
    Stored(#[from] phc::Error),
    /// The thread it ran on.
    #[error("the hashing of a password broke off")]
    BrokeOff(#[from] JoinError),
}

/// How passwords are hashed.
#[derive(Debug, Clone, Default)]
pub struct Passwords {
    /// The library's own default is OWASP's: 19 MiB, two passes, one lane.
    params: Params,
}

impl Passwords {
    /// With other parameters than the usual ones.
    pub fn new(params: Params) -> Self {
        Self { params }
    }

    /// A new hash of a password, in PHC string format. It takes tens of milliseconds, away from what else is going on.
    pub(crate) async fn hash(&self, password: &Password) -> Result<String, PasswordError> {
        let (params, password) = (self.params.clone(), password.clone());
        let hash = spawn_blocking(move || {
            let hash: Result<PasswordHash, HashError> =
                argon2id(params).hash_password(password.0.as_bytes());
            hash
        });
        Ok(hash.await??.to_string())
    }

    /// Whether it is the password of this hash; of nobody's without one, which takes as long and is never so.
    pub(crate) async fn verify(
        &self,
        password: &Password,
        hash: Option<&str>,
    ) -> Result<bool, PasswordError> {
        let hash = match hash {
            Some(hash) => PasswordHash::new(hash),
            None => PasswordHash::new(&self.nobodys()),
        }?;
        let (params, password) = (self.params.clone(), password.clone());
        // The hash's own parameters are those that count.
        let verified =
            spawn_blocking(move || argon2id(params).verify_password(password.0.as_bytes(), &hash));
        match verified.await? {
            Ok(()) => Ok(true),
            Err(HashError::PasswordInvalid) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The hash was made in another way than one would be now.
    pub(crate) fn is_outdated(&self, hash: &str) -> Result<bool, PasswordError> {
        let hash = PasswordHash::new(hash)?;
        let params = Params::try_from(&hash)?;
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let is_current = hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into())
            && costs(&params) == costs(&self.params);
        Ok(!is_current)
    }

    fn nobodys(&self) -> String {
        let (m, t, p) = (
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
        );
        format!("$argon2id$v=19$m={m},t={t},p={p}${NOBODYS}")
    }
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
