//! POST /validate: whether somebody would get a package. Nothing is handed out, and nothing is written down.

use std::{collections::BTreeSet, error::Error, sync::Arc};

use axum::{Extension, extract::State};
use haulout_api::{Caller, Code, Json, Problem, SourceAddress};
use haulout_domain::{
    access::Role,
    identity::{GroupName, ServiceName, Username},
    package::{Decision, Package, PackageRef, Requester, RuleOutcome, judge::judge, rule::Request},
};

use crate::{Packages, Validate, Validated, ValidationResult, may_see, refusal};

/// Somebody who would like to have a package.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) username: String,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) groups: BTreeSet<GroupName>,
}

impl From<&Caller> for Candidate {
    fn from(caller: &Caller) -> Self {
        Self {
            username: caller.name.clone(),
            roles: caller.roles.clone(),
            groups: caller.groups.clone(),
        }
    }
}

/// Ask whether a user would get a package.
///
/// By the package's groups and its rule. Without `user_id`, the caller.
#[utoipa::path(
    post,
    path = "/validate",
    tag = "packages",
    request_body = Validate,
    responses(
        (status = 200, body = Validated),
        (status = 404, description = "No such package, or no such user", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn validate(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    SourceAddress(address): SourceAddress,
    Json(body): Json<Validate>,
) -> Result<Json<Validated>, Problem> {
    let candidate = packages
        .candidate(&caller, body.user_id.as_deref(), body.user_groups)
        .await?;
    let reference = PackageRef::new(body.pkg_name, body.version);
    let package = packages.find_package(&reference).await?;
    let (decision, outcome) = packages.decide(&package, &candidate, &address);
    // Who may not see a package learns no more of it than the answer.
    let seen = may_see(&caller, &package).is_ok() || decision.allowed;
    Ok(Json(Validated {
        allowed: decision.allowed,
        reason: decision.reason,
        validation_result: ValidationResult {
            package: reference,
            user_id: candidate.username,
            user_groups: candidate.groups,
            state: package.state,
            is_sensitive: package.is_sensitive,
            rule: match outcome {
                RuleOutcome::None => "none",
                RuleOutcome::Passed if seen => "passed",
                RuleOutcome::Failed(_) if seen => "failed",
                _ => "refused",
            },
        },
    }))
}

impl Packages {
    /// Whether somebody gets a package, and what its rule says.
    pub(crate) fn decide(
        &self,
        package: &Package,
        candidate: &Candidate,
        address: &str,
    ) -> (Decision, RuleOutcome) {
        let user = Requester {
            username: &candidate.username,
            roles: &candidate.roles,
            groups: &candidate.groups,
        };
        let now = self.clock.now();
        judge(package, &user, &Request { now, address })
    }

    /// Whom a request asks about.
    async fn candidate(
        &self,
        caller: &Caller,
        user_id: Option<&str>,
        groups: Option<BTreeSet<GroupName>>,
    ) -> Result<Candidate, Problem> {
        let username = user_id.map(parse_user).transpose()?;
        let mut candidate = match username {
            Some(username) if username != caller.name => {
                caller.may_see(&username)?;
                self.known(&username, groups.is_some()).await?
            }
            _ => Candidate::from(caller),
        };
        // Everybody else is in the groups that an administrator said; older callers send theirs along.
        if let (Some(groups), true) = (groups, caller.sees_all()) {
            candidate.groups = groups;
        }
        Ok(candidate)
    }

    /// A user as the directory knows him. Somebody whose groups are given need not exist; services are in no directory.
    async fn known(&self, username: &str, may_be_new: bool) -> Result<Candidate, Problem> {
        let user = match username.parse::<Username>() {
            Ok(username) => self.directory.user(&username).await,
            Err(_) => Ok(None),
        };
        match user.map_err(refusal::directory)? {
            Some(user) => Ok(Candidate {
                username: user.username.into(),
                roles: user.roles,
                groups: user.groups,
            }),
            None if may_be_new => Ok(Candidate {
                username: username.to_string(),
                roles: BTreeSet::from([Role::User]),
                groups: BTreeSet::new(),
            }),
            None => Err(Problem::new(
                Code::UnknownUser,
                format!(
                    "There is no user {username}. Give user_groups to ask about one that is yet to be."
                ),
            )),
        }
    }
}

/// What a caller may be called: as a user, or as a service.
pub(crate) fn caller_name(text: &str) -> Result<String, Box<dyn Error>> {
    if ServiceName::is_meant(text) {
        return Ok(text.parse::<ServiceName>()?.into());
    }
    Ok(text.parse::<Username>()?.into())
}

/// A caller's name in a body.
fn parse_user(text: &str) -> Result<String, Problem> {
    caller_name(text).map_err(|error| {
        Problem::new(
            Code::InvalidBody,
            format!("Body, field `user_id`: {error}."),
        )
    })
}
