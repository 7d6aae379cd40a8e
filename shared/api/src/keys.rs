//! What tokens are signed and checked with: Ed25519 keys (RFC 8032), published as a JWK set (RFC 7517, RFC 8037), and
//! the tokens themselves (JWT, RFC 7519, in the compact form of RFC 7515). Pure: it is told the time and the secret.
//!
//! Keys are derived from one secret and the date, so that whoever has the secret has the same keys at the same time.
//! Only EdDSA is known here: a token has no say in how it is checked.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use haulout_domain::{digest::sha256_hex, identity::Claims};
use hmac::{Hmac, Mac, digest::KeyInit};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// How long a key signs, in seconds: 30 days.
const PERIOD_SECONDS: i64 = 30 * 24 * 60 * 60;
/// The one algorithm (RFC 8037, section 3.1).
const ALGORITHM: &str = "EdDSA";
/// Ours are a third as long.
const MAX_TOKEN: usize = 1_024;
/// The shortest secret that keys may be derived from, in characters: whoever guesses it can be anybody.
pub const MIN_SECRET: usize = 32;

/// The keys of a time: the one that signs now, the one before it, and the one after it.
#[derive(Clone)]
pub struct SigningKeys {
    before: Named,
    current: Named,
    after: Named,
}

#[derive(Clone)]
struct Named {
    id: String,
    key: SigningKey,
}

/// The keys that tokens are checked with, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicKeys(BTreeMap<String, VerifyingKey>);

/// Why a token is not good. None of it is told to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have a token's form.
    #[error("it is no token")]
    Malformed,
    /// It wants to be checked in another way.
    #[error("it is not signed with {ALGORITHM}")]
    Algorithm,
    /// Its key is none of ours, or not any more, or not yet.
    #[error("its key is not known")]
    UnknownKey,
    /// It was not signed with the key that it names.
    #[error("its signature is not right")]
    Signature,
    /// It is for another deployment.
    #[error("it is of another issuer")]
    Issuer,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// It was withdrawn, or its user is gone.
    #[error("its session is over")]
    NoSession,
}

/// The published text is not a set of keys.
#[derive(Debug, thiserror::Error)]
#[error("what is published is not a set of keys: {0}")]
pub struct NotKeys(String);

/// A token's header (RFC 7515, section 4.1). Any other parameter is refused: some would change how it is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    typ: Option<String>,
}

/// A public key (RFC 8037, section 2). Of keys of other types only the type matters.
#[derive(Debug, Serialize, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    alg: String,
    #[serde(default, rename = "use")]
    purpose: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

impl SigningKeys {
    /// The keys that a secret makes at a time. The secret is random and has at least [`MIN_SECRET`] characters.
    pub fn derive(secret: &str, now: Timestamp) -> Self {
        let period = now.as_second().div_euclid(PERIOD_SECONDS);
        Self {
            before: Named::derive(secret, period - 1),
            current: Named::derive(secret, period),
            after: Named::derive(secret, period + 1),
        }
    }

    /// A token that says this.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON.
    pub fn sign(&self, claims: &Claims) -> Result<String, serde_json::Error> {
        let header = Header {
            alg: ALGORITHM.to_owned(),
            kid: self.current.id.clone(),
            typ: Some("JWT".to_owned()),
        };
        let mut token = encode(&header)?;
        token.push('.');
        token.push_str(&encode(claims)?);
        let signature = self.current.key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        Ok(token)
    }

    /// The public keys as they are published. The next one is among them before it signs, and the last one for as long
    /// as its tokens hold, so that whoever reads them late knows what it meets.
    pub fn jwks(&self) -> String {
        let keys = [&self.before, &self.current, &self.after].map(Named::jwk);
        serde_json::json!({"keys": keys}).to_string()
    }
}

impl Named {
    /// HMAC-SHA256 (RFC 2104) under the secret tells nothing of the secret or of another period's key.
    fn derive(secret: &str, period: i64) -> Self {
        // A key of one block: HMAC would make it of the secret by itself, in steps that may fail.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(secret));
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(format!("haulout token key {period}").as_bytes());
        let key = SigningKey::from_bytes(&mac.finalize().into_bytes().into());
        let fingerprint = sha256_hex(key.verifying_key().as_bytes());
        Self {
            id: format!("k{period}-{}", &fingerprint[..8]),
            key,
        }
    }

    fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: BASE64_URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes()),
            kid: self.id.clone(),
            alg: ALGORITHM.to_owned(),
            purpose: "sig".to_owned(),
        }
    }
}

impl PublicKeys {
    /// Reads what [`SigningKeys::jwks`] wrote. Keys of other types are passed over; there may be none.
    ///
    /// # Errors
    /// When it is no JWK set, or holds an Ed25519 key that is none.
    pub fn parse(jwks: &str) -> Result<Self, NotKeys> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|error| NotKeys(error.to_string()))?;
        let mut keys = BTreeMap::new();
        for jwk in set.keys {
            if jwk.kty == "OKP" && jwk.crv == "Ed25519" {
                let key = public_key(&jwk.x)
                    .ok_or_else(|| NotKeys(format!("key '{}' is no Ed25519 key", jwk.kid)))?;
                keys.insert(jwk.kid, key);
            }
        }
        Ok(Self(keys))
    }

    /// What a token says, if it is one of the issuer's and its time is not over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (_, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let key = self.key_of(token)?;
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .ok_or(TokenError::Malformed)?;
        // Strict: one signature has one form, and weak keys sign nothing (RFC 8032, section 5.1.7).
        key.verify_strict(signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        let claims: Claims = decode(payload)?;
        if claims.iss != issuer {
            return Err(TokenError::Issuer);
        }
        if claims.exp <= now.as_second() {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// Whether these keys tell all that keys may tell of a token: its own is among them, or none would make it good.
    pub(crate) fn suffice_for(&self, token: &str) -> bool {
        !matches!(self.key_of(token), Err(TokenError::UnknownKey))
    }

    /// The key that a token names in its header.
    fn key_of(&self, token: &str) -> Result<&VerifyingKey, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed);
        }
        let (header, _) = token.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if header.alg != ALGORITHM {
            return Err(TokenError::Algorithm);
        }
        if header.typ.is_some_and(|typ| typ != "JWT") {
            return Err(TokenError::Malformed);
        }
        self.0.get(&header.kid).ok_or(TokenError::UnknownKey)
    }
}

fn public_key(x: &str) -> Option<VerifyingKey> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(x).ok()?;
    let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
    (!key.is_weak()).then_some(key)
}

fn encode<T: Serialize>(part: &T) -> Result<String, serde_json::Error> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(part)?))
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}
