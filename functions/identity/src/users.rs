//! /users: what administrators do with users.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Json, Path, Problem, Query,
    page::{decode_cursor, encode_cursor},
};
use haulout_aws::directory::Changed;
use haulout_domain::identity::{User, UserChange, Username};

use crate::{ChangeUser, DeletedView, Identity, UserView, UsersView, refusal, request::ListUsers};

/// How often a change is tried that meets others.
const TRIES: u32 = 5;
/// What the cursors of this list are for.
const LIST: &str = "users";

/// List users.
///
/// By name.
#[utoipa::path(
    get,
    path = "/users",
    tag = "identity",
    params(ListUsers),
    responses(
        (status = 200, body = UsersView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn list(
    State(identity): State<Arc<Identity>>,
    Query(query): Query<ListUsers>,
) -> Result<Json<UsersView>, Problem> {
    let cursor = query.cursor.as_deref();
    let after: Option<Username> = cursor
        .map(|cursor| decode_cursor(cursor, &LIST))
        .transpose()?;
    let limit = usize::from(query.limit.get());
    let page = identity.directory.users_page(after.as_ref(), limit).await;
    let page = page.map_err(refusal::directory)?;
    let next_cursor = page.next.map(|next| encode_cursor(&next, &LIST));
    Ok(Json(UsersView {
        users: page.users.into_iter().map(UserView::from).collect(),
        next_cursor: next_cursor.transpose()?,
    }))
}

/// Change a user.
///
/// Roles, groups, quota and password; what is left out stays. Within 15 seconds it holds for the tokens the user has,
/// of which none is accepted any more after a change of the password. The own password is changed with PATCH /me.
#[utoipa::path(
    patch,
    path = "/users/{username}",
    tag = "identity",
    params(("username" = Username, Path, description = "The user's name")),
    request_body = ChangeUser,
    responses(
        (status = 200, body = UserView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
        (status = 404, description = "No such user", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "Your own role of an administrator, or your own password", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn change(
    State(identity): State<Arc<Identity>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<ChangeUser>,
) -> Result<Json<UserView>, Problem> {
    let (admin, username) = (with_account(&caller)?, named(&name)?);
    let change = identity.hashed(&admin, &username, body).await?;
    let user = identity.change(&admin, &username, &change).await?;
    Ok(Json(user.into()))
}

/// Delete a user.
///
/// Within 15 seconds none of the user's tokens is accepted any more, also when another user of the same name is made.
/// Machines, claims and packages stay, under that name. Nobody registers it any more; an administrator may give it again
/// with POST /register, and whoever gets it owns them.
#[utoipa::path(
    delete,
    path = "/users/{username}",
    tag = "identity",
    params(("username" = Username, Path, description = "The user's name")),
    responses(
        (status = 200, body = DeletedView),
        (status = 403, description = "Not an administrator", body = haulout_api::problem::ProblemBody),
        (status = 404, description = "No such user", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "Your own account", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn delete(
    State(identity): State<Arc<Identity>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<DeletedView>, Problem> {
    let (admin, username) = (with_account(&caller)?, named(&name)?);
    if admin == username {
        return Err(refusal::own_account("delete the own account"));
    }
    let user = identity.user(&username).await?;
    let now = identity.clock.now();
    let deleted = identity.directory.delete_user(&user, &admin, now).await;
    // Outdated: the user is gone, and another one has the name by now.
    if deleted.map_err(refusal::directory)? == Changed::NotAdmin {
        return Err(refusal::no_admin_any_more());
    }
    tracing::warn!(%username, by = %admin, "deleted");
    Ok(Json(DeletedView {
        message: "The user is deleted, and the user's tokens are not accepted any more. What the user made stays under the name. Nobody else can register it; if you give it again with POST /register, the new user owns all of that.",
        username,
    }))
}

impl Identity {
    /// What is asked for, with the hash of another password if there is to be one.
    async fn hashed(
        &self,
        admin: &Username,
        username: &Username,
        body: ChangeUser,
    ) -> Result<UserChange, Problem> {
        let Some(password) = &body.password else {
            return Ok(body.hashed(None));
        };
        // A stolen token must not be enough to take an account over.
        if admin == username {
            return Err(refusal::own_password());
        }
        password
            .check()
            .map_err(|error| refusal::invalid("password", &error))?;
        let hash = self.passwords.hash(password).await;
        let hash = hash.map_err(Problem::internal)?;
        Ok(body.hashed(Some(hash)))
    }

    async fn user(&self, username: &Username) -> Result<User, Problem> {
        let user = self.directory.user(username).await;
        user.map_err(refusal::directory)?
            .ok_or_else(|| refusal::unknown_user(username))
    }

    async fn change(
        &self,
        admin: &Username,
        username: &Username,
        change: &UserChange,
    ) -> Result<User, Problem> {
        for _ in 0..TRIES {
            let user = self.user(username).await?;
            let Some(changed) = user.changed(change.clone(), self.clock.now()) else {
                return Ok(user);
            };
            let written = if admin == username {
                if !changed.is_admin() {
                    return Err(refusal::own_account("give up the own role admin"));
                }
                self.directory.update_user(&changed).await
            } else {
                self.directory.update_other(&changed, admin).await
            };
            match written.map_err(refusal::directory)? {
                Changed::Yes => {
                    tracing::warn!(%username, by = %admin, ?change, "changed");
                    return Ok(changed);
                }
                Changed::NotAdmin => return Err(refusal::no_admin_any_more()),
                Changed::Outdated => {}
            }
        }
        Err(refusal::kept_changing())
    }
}

/// The caller, who is a user and no service.
fn with_account(caller: &Caller) -> Result<Username, Problem> {
    let username = caller.name.parse();
    username.map_err(|_| refusal::no_account(&caller.name))
}

fn named(name: &str) -> Result<Username, Problem> {
    name.parse().map_err(|error| refusal::invalid_path(&error))
}
