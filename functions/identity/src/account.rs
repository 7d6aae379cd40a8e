//! /me and /logout: the caller's own account and session.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Problem, SourceAddress};
use haulout_aws::directory::Changed;
use haulout_domain::identity::{Session, User};

use crate::{ChangePassword, Identity, LoggedOut, MeView, refusal};

/// How often a change is tried that meets others.
const TRIES: u32 = 5;

/// Read who you are.
///
/// And what you may do, and until when your token holds.
#[utoipa::path(
    get,
    path = "/me",
    tag = "identity",
    responses((status = 200, body = MeView))
)]
pub(crate) async fn me(
    State(identity): State<Arc<Identity>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<MeView>, Problem> {
    let (session, user) = identity.session(&caller).await?;
    Ok(Json(MeView::of(&session, user)))
}

/// Change your password.
///
/// The present one is asked for, and wrong ones are counted as at POST /login. The session that the request is made with
/// goes on; within 15 seconds (30 while DynamoDB does not answer) none of the others is accepted any more. Log in with
/// the new password if the answer was lost.
#[utoipa::path(
    patch,
    path = "/me",
    tag = "identity",
    request_body = ChangePassword,
    responses(
        (status = 200, body = MeView),
        (status = 400, description = "Malformed", body = haulout_api::problem::ProblemBody),
        (status = 401, description = "The present password is wrong", body = haulout_api::problem::ProblemBody),
        (status = 429, description = "Too many wrong passwords in a row; `Retry-After` says when to come back", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn change_password(
    State(identity): State<Arc<Identity>>,
    SourceAddress(address): SourceAddress,
    Extension(caller): Extension<Caller>,
    Json(body): Json<ChangePassword>,
) -> Result<Json<MeView>, Problem> {
    body.new_password
        .check()
        .map_err(|error| refusal::invalid("new_password", &error))?;
    let (session, user) = identity.change_password(&caller, &body, &address).await?;
    tracing::warn!(username = %user.username, jti = session.jti, "the password is changed; the other sessions end");
    Ok(Json(MeView::of(&session, user)))
}

/// Log out.
///
/// Ends the session of the token that the request is made with. Within 15 seconds (30 while DynamoDB does not answer) no
/// function accepts it any more.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "identity",
    responses((status = 200, body = LoggedOut))
)]
pub(crate) async fn logout(
    State(identity): State<Arc<Identity>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<LoggedOut>, Problem> {
    let Some(jti) = &caller.session else {
        return Err(refusal::no_account(&caller.name));
    };
    let ended = identity.directory.end_session(jti).await;
    ended.map_err(refusal::directory)?;
    tracing::info!(username = caller.name, jti, "logged out");
    Ok(Json(LoggedOut {
        message: "You are logged out: the token is not accepted any more.",
    }))
}

impl Identity {
    async fn change_password(
        &self,
        caller: &Caller,
        body: &ChangePassword,
        address: &str,
    ) -> Result<(Session, User), Problem> {
        let now = self.clock.now();
        let (mut session, mut user) = self.session(caller).await?;
        let attempt = self.begin_try(&user.username, address, now).await?;
        for _ in 0..TRIES {
            // Each time: the password may be another one by now.
            let hash = Some(user.password_hash.as_str());
            let verified = self.passwords.verify(&body.password, hash).await;
            if !verified.map_err(Problem::internal)? {
                return Err(attempt.refusal());
            }
            let hash = self.passwords.hash(&body.new_password).await;
            let hash = hash.map_err(Problem::internal)?;
            let changed = user.with_password(hash, &session.jti, now);
            let written = self.directory.update_user(&changed).await;
            if written.map_err(refusal::directory)? == Changed::Yes {
                self.end_try(&user.username, &attempt).await?;
                return Ok((session, changed));
            }
            (session, user) = self.session(caller).await?;
        }
        Err(refusal::kept_changing())
    }

    /// The caller's session and account as they are now.
    async fn session(&self, caller: &Caller) -> Result<(Session, User), Problem> {
        let (Some(jti), Ok(username)) = (&caller.session, caller.name.parse()) else {
            return Err(refusal::no_account(&caller.name));
        };
        let now = self.clock.now();
        let found = self.directory.session(jti, &username, now).await;
        found
            .map_err(refusal::directory)?
            .ok_or_else(refusal::session_over)
    }
}
