//! /me and /logout: the caller's own session.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Caller, Json, Problem};
use haulout_domain::identity::{Session, User};

use crate::{Identity, LoggedOut, MeView, refusal};

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
    Ok(Json(MeView {
        username: user.username,
        roles: user.roles,
        groups: user.groups,
        quota: user.quota,
        expires_at: session.expires_at,
    }))
}

/// Log out.
///
/// Ends the session of the token that the request is made with. Within 15 seconds no function accepts it any more.
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
    if let Some(jti) = &caller.session {
        let ended = identity.directory.end_session(jti).await;
        ended.map_err(refusal::directory)?;
        tracing::info!(username = caller.name, jti, "logged out");
    }
    Ok(Json(LoggedOut {
        message: "You are logged out: the token is not accepted any more.",
    }))
}

impl Identity {
    /// The caller's session and account as they are now.
    async fn session(&self, caller: &Caller) -> Result<(Session, User), Problem> {
        let (Some(jti), Ok(username)) = (&caller.session, caller.name.parse()) else {
            return Err(refusal::session_over());
        };
        let now = self.clock.now();
        let found = self.directory.session(jti, &username, now).await;
        found
            .map_err(refusal::directory)?
            .ok_or_else(refusal::session_over)
    }
}
