//! The console function: health, the start page, the OpenAPI document and a reader for it. API Gateway's `$default`
//! route leads here too, so this is also where unknown paths and methods are told so.

mod docs;
mod document;
mod page;
mod service;

use axum::{Router, routing::get};
use haulout_api::{Conventions, Cors};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations as OpenAPI.
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().into_openapi()
}

/// The whole service.
pub fn app(cors: Cors) -> Router {
    let (routes, _) = operations().split_for_parts();
    // The reader's own files are part of its page, not of the interface.
    let routes = routes
        .route("/docs/", get(docs::with_slash))
        .route("/docs/{asset}", get(docs::asset));
    // Everything here is public: no caller is told, and nothing is written down.
    let conventions = Conventions {
        cors,
        elsewhere: document::paths(),
        ..Conventions::default()
    };
    haulout_api::app(routes, conventions)
}

fn operations() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(service::index))
        .routes(routes!(service::health))
        .routes(routes!(document::openapi_json))
        .routes(routes!(docs::reader))
}
