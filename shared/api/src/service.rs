//! The second API, for services: its requests are signed (AWS Signature Version 4), and API Gateway has checked that
//! before it calls a function (IAM authorization). Whose signature it was, the event says, outside of all that a client
//! sends: in `requestContext.authorizer.iam`, as the first API never has it. It counts only where the event names the
//! second API as the one that it came through.

use haulout_aws::env::{self, EnvError};
use haulout_domain::{access::Role, identity::service::ServiceName};
use http::{HeaderValue, header::WWW_AUTHENTICATE};

use crate::{
    caller::Caller,
    problem::{Code, Problem},
};

/// Through which door a request came in, and whose signature it had there: as API Gateway says. A request extension that
/// the adapter to its events alone makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entrance {
    /// The API.
    pub(crate) api_id: Option<String>,
    /// The ARN of the AWS identity that signed.
    pub(crate) user_arn: Option<String>,
}

/// The second API of a deployment that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceApi {
    /// Its id at API Gateway.
    pub id: String,
    /// The deployment's account: identities of others are nobody.
    pub account: String,
    /// What its callers may do.
    pub role: Role,
}

impl ServiceApi {
    /// `HAULOUT_SERVICE_API_ID`, `HAULOUT_SERVICE_ACCOUNT`, `HAULOUT_SERVICE_ROLE`; nothing without the first.
    ///
    /// # Errors
    /// A variable that is missing beside the first, or makes no sense.
    pub fn from_env() -> Result<Option<Self>, EnvError> {
        const ROLE: &str = "HAULOUT_SERVICE_ROLE";
        let Some(id) = env::optional("HAULOUT_SERVICE_API_ID") else {
            return Ok(None);
        };
        let role = env::required(ROLE)?;
        Ok(Some(Self {
            id,
            account: env::required("HAULOUT_SERVICE_ACCOUNT")?,
            role: role.parse().map_err(|source| EnvError::Malformed {
                name: ROLE,
                value: role.clone(),
                source: Box::new(source),
            })?,
        }))
    }

    /// Whether a request came through it.
    pub(crate) fn is_entered(&self, entrance: &Entrance) -> bool {
        entrance.api_id.as_deref() == Some(self.id.as_str())
    }

    /// Who calls, of a request that came through it.
    pub(crate) fn caller(&self, entrance: &Entrance) -> Result<Caller, Problem> {
        let Some(arn) = &entrance.user_arn else {
            return Err(unsigned());
        };
        match ServiceName::of_arn(arn, &self.account) {
            Ok(name) => Ok(Caller::new(name, [self.role])),
            Err(error) => Err(Problem::new(Code::Forbidden, format!("{error}."))),
        }
    }
}

/// API Gateway lets no such request through.
fn unsigned() -> Problem {
    let detail = "This API takes signed requests alone (AWS Signature Version 4, service execute-api): sign as a role or an IAM user of the deployment's account.";
    Problem::new(Code::MissingToken, detail).with_header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("AWS4-HMAC-SHA256"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> ServiceApi {
        ServiceApi {
            id: "s2s2s2s2s2".to_owned(),
            account: "111122223333".to_owned(),
            role: Role::Operator,
        }
    }

    fn entrance(api_id: &str, user_arn: Option<&str>) -> Entrance {
        Entrance {
            api_id: Some(api_id.to_owned()),
            user_arn: user_arn.map(str::to_owned),
        }
    }

    #[test]
    fn only_its_own_requests_come_through_it() {
        assert!(api().is_entered(&entrance("s2s2s2s2s2", None)));
        for other in [
            entrance("a1b2c3d4e5", Some("x")),
            entrance("", None),
            Entrance::default(),
        ] {
            assert!(!api().is_entered(&other), "{other:?}");
        }
    }

    #[test]
    fn a_caller_has_the_deployments_role_and_nothing_else() {
        let arn = "arn:aws:sts::111122223333:assumed-role/Deployer/session";
        let caller = api().caller(&entrance("s2s2s2s2s2", Some(arn))).unwrap();
        assert_eq!(caller, Caller::new("iam:role:deployer", [Role::Operator]));
        assert_eq!((caller.session, caller.quota), (None, None));
    }

    #[test]
    fn who_has_not_signed_is_401_and_who_is_nobody_here_403() {
        let refused = |arn| api().caller(&entrance("s2s2s2s2s2", arn)).unwrap_err();
        assert_eq!(refused(None).code(), Code::MissingToken);
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::444455556666:user/ci",
        ] {
            let refused = refused(Some(arn));
            assert_eq!(refused.code(), Code::Forbidden);
            assert!(refused.detail().contains(arn), "{}", refused.detail());
        }
    }
}
