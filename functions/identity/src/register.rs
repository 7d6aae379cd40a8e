//! POST /register: a new user.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Acting, Caller, IdempotencyKey, Json, Problem, SourceAddress};
use haulout_aws::directory::{Made, Names, Registration};
use haulout_domain::{
    digest::sha256_hex,
    identity::{User, throttle},
};
use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Identity, Register, UserView, refusal, request::Grant};

/// Register a user.
///
/// Anybody may, with the role `user` and without groups, unless the deployment leaves that to administrators. With an
/// administrator's token, roles, groups and quota of the body count as well, and the name may be that of a user who was
/// deleted: the new user then owns the machines, claims and packages that the old one made.
#[utoipa::path(
    post,
    path = "/register",
    tag = "identity",
    params(
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Repeating the request with the same key and body gives the same answer, for 24 hours"),
    ),
    request_body = Register,
    responses(
        (status = 201, body = UserView),
        (status = 400, description = "Malformed", body = haulout_api::problem::ProblemBody),
        (status = 403, description = "Only an administrator registers users", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "The name is taken (that of a deleted user is, but for administrators), or the idempotency key was used with another body", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn register(
    State(identity): State<Arc<Identity>>,
    SourceAddress(address): SourceAddress,
    acting: Option<Extension<Acting>>,
    caller: Option<Extension<Caller>>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<Register>,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    if let Some(Extension(acting)) = acting {
        acting.is(body.username.as_str());
    }
    let caller = caller.map(|Extension(caller)| caller);
    let by_admin = caller.as_ref().is_some_and(Caller::is_admin);
    if !by_admin && !identity.settings.self_registration {
        return Err(refusal::registration_closed());
    }
    let password = &body.password;
    password
        .check()
        .map_err(|error| refusal::invalid("password", &error))?;
    let grant = body.grant(by_admin)?;
    let registration = key.map(|key| {
        let by = caller.map_or_else(
            || format!("address {}", throttle::place(&address)),
            |caller| format!("user {}", caller.name),
        );
        Registration {
            scope: sha256_hex(format!("{by}\n{key}").as_bytes()),
            fingerprint: fingerprint(&body, &grant),
        }
    });
    if !by_admin {
        identity.check_not_reserved(&body).await?;
    }
    let names = if by_admin { Names::Free } else { Names::Unused };
    let user = identity
        .register(&body, grant, names, registration.as_ref(), &address)
        .await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// What was asked for, but for the password, which nothing is kept of but its hash.
fn fingerprint(body: &Register, grant: &Grant) -> String {
    let Grant {
        roles,
        groups,
        quota,
    } = grant;
    sha256_hex(format!("{}\n{roles:?}\n{groups:?}\n{quota:?}", body.username).as_bytes())
}

/// Who owns what was made before there were users, and the pool's machines.
const OWNERS: [&str; 2] = ["admin", "pool"];

impl Identity {
    /// The first administrator's name is nobody else's to take, nor is one that records carry already.
    async fn check_not_reserved(&self, body: &Register) -> Result<(), Problem> {
        if OWNERS.contains(&body.username.as_str()) {
            return Err(refusal::username_taken(&body.username));
        }
        match self.first_admin().await? {
            Some(first) if first.username == body.username => {
                Err(refusal::username_taken(&body.username))
            }
            _ => Ok(()),
        }
    }

    async fn register(
        &self,
        body: &Register,
        grant: Grant,
        names: Names,
        registration: Option<&Registration>,
        address: &str,
    ) -> Result<User, Problem> {
        let now = self.clock.now();
        let hash = self.passwords.hash(&body.password).await;
        let Grant {
            roles,
            groups,
            quota,
        } = grant;
        let user = User::new(
            body.username.clone(),
            hash.map_err(Problem::internal)?,
            roles,
            groups,
            quota,
            now,
        );
        let made = self.directory.create_user(&user, names, registration, now);
        match made.await.map_err(refusal::directory)? {
            Made::New => {
                tracing::info!(username = %user.username, roles = ?user.roles, "registered");
                Ok(user)
            }
            Made::NameTaken => Err(refusal::username_taken(&user.username)),
            Made::Before {
                user_id,
                fingerprint,
            } => {
                let is_same = registration.is_some_and(|it| it.fingerprint == fingerprint);
                if !is_same {
                    return Err(refusal::key_reused());
                }
                self.made_before(body, user_id, address, now).await
            }
        }
    }

    /// The user that the same request made before. The password is part of what is the same: it is counted like any
    /// other try at it.
    async fn made_before(
        &self,
        body: &Register,
        user_id: Uuid,
        address: &str,
        now: Timestamp,
    ) -> Result<User, Problem> {
        let username = &body.username;
        let user = self.directory.user(username).await;
        let user = user
            .map_err(refusal::directory)?
            .filter(|user| user.id == user_id)
            .ok_or_else(refusal::key_reused)?;
        let attempt = self.begin_try(username, address, now).await?;
        let verified = self
            .passwords
            .verify(&body.password, Some(&user.password_hash))
            .await;
        if !verified.map_err(Problem::internal)? {
            return Err(refusal::key_reused());
        }
        self.end_try(username, &attempt).await?;
        Ok(user)
    }
}
