//! The layers around a function's routes, in the one order that works.

use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    auth::{Auth, authenticate},
    cors::{Cors, cors},
    observe::{note_route, observe, panicked},
    routes::{Paths, fallback, method_not_allowed, options},
};

/// What differs between the functions.
#[derive(Debug, Clone, Default)]
pub struct Conventions {
    /// How callers are told. Without it only public routes answer: there is no open mode.
    pub auth: Option<Auth>,
    /// Which pages may call.
    pub cors: Cors,
    /// Paths other functions answer, for the function behind API Gateway's `$default` route: requests for them
    /// that arrive here have a method nobody takes.
    pub elsewhere: Paths,
}

/// A function's whole service from its routes. From the outside in: the request's id, span and log line; CORS;
/// OPTIONS; panics; routing; the token; the handler. So a preflight needs no token, and an answer to whatever goes
/// wrong inside has an id and can be read by a page.
///
/// # Panics
/// When there are no routes.
pub fn app(routes: Router, conventions: Conventions) -> Router {
    let Conventions {
        auth,
        cors: origins,
        elsewhere,
    } = conventions;
    let inside = routes
        .route_layer(from_fn_with_state(auth, authenticate))
        // After the layer, so that a method nobody takes is told so without a token.
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |request: Request| fallback(&elsewhere, &request))
        .layer(from_fn(note_route))
        .layer(CatchPanicLayer::custom(panicked));
    // Around a router of its own: axum adds `Allow` outside all of a router's layers.
    Router::new()
        .fallback_service(inside)
        .layer(from_fn(options))
        .layer(from_fn_with_state(origins, cors))
        .layer(from_fn(observe))
}
