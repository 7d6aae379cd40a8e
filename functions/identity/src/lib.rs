//! Users, passwords and tokens over HTTP. A password becomes a session, and the session a signed token, which every
//! function checks by itself. Passwords are kept as hashes (argon2id) and never logged.

mod account;
mod bootstrap;
mod login;
mod password;
mod recognise;
mod refusal;
mod register;
mod request;
mod signing;
mod users;
mod view;

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};
use haulout_api::Conventions;
use haulout_aws::{
    clock::Clock,
    directory::Directory,
    emf::{Dimension, Metrics},
    secrets::Secrets,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use argon2::Params;
pub use bootstrap::Bootstrap;
pub use password::{Password, Passwords};
pub use request::{ChangePassword, ChangeUser, Login, Register};
pub use signing::Signing;
pub use view::{DeletedView, LoggedOut, MeView, TokenView, UserView, UsersView};

/// What the deployment says of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The secret that the keys of tokens are derived from.
    pub signing_secret: String,
    /// The secret in which the public keys are published.
    pub jwks_secret: String,
    /// The secret with the first administrator's name and password; without it nobody becomes the first.
    pub bootstrap_secret: Option<String>,
    /// Anybody may register.
    pub self_registration: bool,
    /// Who issues tokens: the deployment.
    pub issuer: String,
}

/// What the handlers work with.
#[derive(Debug)]
pub struct Identity {
    /// Users and sessions.
    pub directory: Directory,
    /// Keys, and the first administrator's password.
    pub secrets: Secrets,
    /// The deployment's settings.
    pub settings: Settings,
    /// How passwords are hashed.
    pub passwords: Passwords,
    /// What is known of the keys.
    pub signing: Signing,
    /// What is known of the first administrator.
    pub bootstrap: Bootstrap,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

/// What the function's operations are.
pub fn openapi() -> OpenApi {
    operations().into_openapi()
}

/// The whole service.
pub fn app(state: Arc<Identity>, conventions: Conventions) -> Router {
    let (routes, _) = routes(state).split_for_parts();
    haulout_api::app(routes, conventions)
}

/// The routes alone, without the conventions around them.
pub fn routes(state: Arc<Identity>) -> OpenApiRouter {
    let look = from_fn_with_state(Arc::clone(&state), signing::look);
    operations().route_layer(look).with_state(state)
}

fn operations() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login))
        .routes(routes!(account::me, account::change_password))
        .routes(routes!(account::logout))
        .routes(routes!(users::list))
        .routes(routes!(users::change, users::delete))
}

impl Identity {
    /// One more login, and what came of it.
    fn count(&self, outcome: &'static str) {
        self.metrics
            .count("Logins", &[(Dimension::Outcome, outcome)]);
    }
}
