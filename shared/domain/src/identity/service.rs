//! Callers that are no users: AWS identities that sign their requests. AWS has checked the signature; what is here
//! decides how such a caller is called, so that nobody else is called so: names of users have no colon, and the names of
//! roles and of IAM users are unique in an account, whatever their path and case (IAM User Guide, "IAM identifiers").

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What all services' names begin with.
const PREFIX: &str = "iam:";
/// The longest name of a role or an IAM user, in characters (IAM User Guide, "IAM and AWS STS quotas").
const MAX_NAME: usize = 64;
/// As much of a text as is repeated to whoever sent it.
const SHOWN: usize = 120;

/// Why an AWS identity is nobody here. Fit for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// It is no name.
    #[error("'{0}' is not a service's name: expected iam:role:NAME or iam:user:NAME")]
    Name(String),
    /// Of another account.
    #[error(
        "'{0}' is of another AWS account: sign as a role or an IAM user of the deployment's own"
    )]
    Account(String),
    /// The account itself, a federated user, or something that nobody here knows of.
    #[error("'{0}' is neither a role nor an IAM user: sign as one of these")]
    Kind(String),
}

/// The name of a service: `iam:role:NAME` for whoever assumed that role, `iam:user:NAME` for an IAM user. In lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

impl ServiceName {
    /// Whether a text could only be a service's name, or none at all.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// What an identity of this account is called, by the ARN that AWS gives it. The name of a role's session is whatever
    /// its caller wished and counts for nothing; so would that of a federated user be.
    ///
    /// # Errors
    /// Identities of other accounts, and those that are neither a role nor an IAM user.
    pub fn of_arn(arn: &str, account: &str) -> Result<Self, ServiceError> {
        let shown = || arn.chars().take(SHOWN).collect::<String>();
        let kind = || ServiceError::Kind(shown());
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, "", its_account, resource] = parts[..] else {
            return Err(kind());
        };
        if partition != "aws" && !partition.starts_with("aws-") {
            return Err(kind());
        }
        if its_account != account {
            return Err(ServiceError::Account(shown()));
        }
        let steps: Vec<&str> = resource.split('/').collect();
        let (what, name) = match (service, &steps[..]) {
            ("sts", ["assumed-role", role, session]) if !session.is_empty() => ("role", role),
            // After its path, if it has one.
            ("iam", ["user", .., name]) => ("user", name),
            _ => return Err(kind()),
        };
        named(what, name).ok_or_else(kind)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// IAM User Guide, "IAM and AWS STS quotas": letters, digits and `_+=,.@-`.
fn named(what: &str, name: &str) -> Option<ServiceName> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let is_name = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_fit);
    is_name.then(|| ServiceName(format!("{PREFIX}{what}:{}", name.to_ascii_lowercase())))
}

impl FromStr for ServiceName {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        let rest = text.strip_prefix(PREFIX);
        let (what, name) = rest.and_then(|it| it.split_once(':')).unwrap_or_default();
        let found = ["role", "user"].contains(&what).then(|| named(what, name));
        let shown = || ServiceError::Name(text.chars().take(SHOWN).collect());
        found.flatten().ok_or_else(shown)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceError;

    fn try_from(text: String) -> Result<Self, ServiceError> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Username;

    const ACCOUNT: &str = "111122223333";

    #[test]
    fn roles_and_iam_users_have_names_that_are_theirs_alone() {
        for (arn, expected) in [
            (
                "arn:aws:sts::111122223333:assumed-role/Deployer/i-0123456789abcdef0",
                "iam:role:deployer",
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/Deployer/admin",
                "iam:role:deployer",
            ),
            ("arn:aws:iam::111122223333:user/ci", "iam:user:ci"),
            (
                "arn:aws:iam::111122223333:user/division/team/CI",
                "iam:user:ci",
            ),
            (
                "arn:aws-us-gov:iam::111122223333:user/a+b=c,d.e@f-g_h",
                "iam:user:a+b=c,d.e@f-g_h",
            ),
        ] {
            let name = ServiceName::of_arn(arn, ACCOUNT).unwrap();
            assert_eq!(name.as_str(), expected);
            assert_eq!(expected.parse::<ServiceName>(), Ok(name));
            // No user can be called so.
            expected.parse::<Username>().unwrap_err();
        }
    }

    #[test]
    fn whoever_is_neither_is_nobody() {
        let long = format!("arn:aws:iam::111122223333:user/{}", "x".repeat(65));
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:sts::111122223333:federated-user/admin",
            "arn:aws:sts::111122223333:assumed-role/Deployer",
            "arn:aws:sts::111122223333:assumed-role/Deployer/",
            "arn:aws:sts::111122223333:assumed-role//session",
            "arn:aws:sts::111122223333:assumed-role/a/b/c",
            "arn:aws:sts::111122223333:user/ci",
            "arn:aws:iam::111122223333:assumed-role/a/b",
            "arn:aws:iam::111122223333:role/Deployer",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:user/a b",
            "arn:aws:iam::111122223333:user/a:b",
            "arn:aws:iam::111122223333:user/ädmin",
            "arn:aws:iam:us-east-1:111122223333:user/ci",
            "arn:evil:iam::111122223333:user/ci",
            "AIDACKCEVSQ6C2EXAMPLE",
            "admin",
            "iam:user:admin",
            "",
            &long,
        ] {
            let refused = ServiceName::of_arn(arn, ACCOUNT);
            assert!(
                matches!(refused, Err(ServiceError::Kind(_))),
                "{arn}: {refused:?}"
            );
        }
        let foreign = ServiceName::of_arn("arn:aws:iam::444455556666:user/ci", ACCOUNT);
        assert!(
            matches!(foreign, Err(ServiceError::Account(_))),
            "{foreign:?}"
        );
    }

    #[test]
    fn only_what_is_made_here_is_read_as_a_name() {
        for text in [
            "admin",
            "iam:",
            "iam:role:",
            "iam:group:x",
            "iam:role:a:b",
            "IAM:role:x",
        ] {
            let refused = text.parse::<ServiceName>();
            assert!(matches!(refused, Err(ServiceError::Name(_))), "{text}");
        }
        // Read in any case, it is the same one.
        let name: ServiceName = "iam:role:Deployer".parse().unwrap();
        assert_eq!(name.as_str(), "iam:role:deployer");
        assert!(ServiceName::is_meant("iam:x") && !ServiceName::is_meant("admin"));
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<ServiceName>(&json).unwrap(), name);
    }
}
