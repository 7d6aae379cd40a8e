//! The layers around a function's routes, in the one order that works.

use aws_types::SdkConfig;
use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
};
use haulout_aws::{
    clock::Clock,
    directory::Directory,
    env::{self, EnvError},
    secrets::Secrets,
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    audit::{Book, audit},
    auth::{Auth, Door, Rules, authenticate},
    cors::{Cors, cors},
    observe::{note_route, observe, panicked},
    routes::{Paths, fallback, method_not_allowed, options},
    service::ServiceApi,
};

/// What differs between the functions.
#[derive(Debug, Clone, Default)]
pub struct Conventions {
    /// How callers are told. Without it only public routes answer: there is no open mode.
    pub auth: Option<Auth>,
    /// The second API, for services, where there is one.
    pub service: Option<ServiceApi>,
    /// What each route asks of its caller.
    pub rules: Rules,
    /// Where it is written down who changed what; nowhere without it.
    pub audit: Option<Directory>,
    /// What time it is for that.
    pub clock: Clock,
    /// Which pages may call.
    pub cors: Cors,
    /// Paths other functions answer, for the function behind API Gateway's `$default` route: requests for them
    /// that arrive here have a method nobody takes.
    pub elsewhere: Paths,
}

impl Conventions {
    /// Those of a deployed function. `HAULOUT_USERS_TABLE`, `HAULOUT_TOKENS_TABLE`, `HAULOUT_AUDIT_TABLE`,
    /// `HAULOUT_TOKEN_KEYS_SECRET_ARN` (the public keys), `HAULOUT_DEPLOYMENT` (whose tokens count),
    /// `HAULOUT_CORS_ORIGINS`, and those of [`ServiceApi::from_env`].
    ///
    /// # Errors
    /// A variable that is missing, or makes no sense.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, EnvError> {
        let directory = Directory::new(sdk, env::directory_tables()?);
        let clock = Clock::system();
        let auth = Auth::tokens(
            directory.clone(),
            Secrets::new(sdk),
            env::required("HAULOUT_TOKEN_KEYS_SECRET_ARN")?,
            env::deployment(),
            clock.clone(),
        );
        Ok(Self {
            auth: Some(auth),
            service: ServiceApi::from_env()?,
            audit: Some(directory),
            clock,
            cors: Cors::from_env()?,
            ..Self::default()
        })
    }
}

/// A function's whole service from its routes. From the outside in: the request's id, span and log line; CORS;
/// OPTIONS; routing; the audit; panics; the token; the handler. So a preflight needs no token, an answer to whatever goes
/// wrong inside has an id and can be read by a page, and what panicked is written down too.
///
/// # Panics
/// When there are no routes.
pub fn app(routes: Router, conventions: Conventions) -> Router {
    let Conventions {
        auth,
        service,
        rules,
        audit: directory,
        clock,
        cors: origins,
        elsewhere,
    } = conventions;
    let book = Book {
        directory,
        rules,
        clock,
    };
    let door = Door {
        auth,
        service,
        rules,
    };
    let inside = routes
        .route_layer(from_fn_with_state(door, authenticate))
        // After the layer, so that a method nobody takes is told so without a token.
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |request: Request| fallback(&elsewhere, &request))
        .layer(from_fn(note_route))
        .layer(CatchPanicLayer::custom(panicked))
        // Outside of panics, which may come after the change.
        .layer(from_fn_with_state(book, audit));
    // Around a router of its own: axum adds `Allow` outside all of a router's layers.
    Router::new()
        .fallback_service(inside)
        .layer(from_fn(options))
        .layer(from_fn_with_state(origins, cors))
        .layer(from_fn(observe))
}
