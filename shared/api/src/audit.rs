//! Who changed what, written down apart from the logs: each request that may change something, of a caller who is known,
//! and every register and login.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use haulout_aws::{
    clock::Clock,
    directory::{AuditEntry, Directory},
};
use haulout_domain::access::Access;
use http::Method;
use tokio::time::timeout;

use crate::{address::SourceAddress, auth::Rules, observe::RequestId};

/// What an answer waits for at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// Routes that are written down although nobody is known yet.
const STRANGERS: &[(&str, &str)] = &[("POST", "/register"), ("POST", "/login")];
/// Stands for who did not come so far as to be known.
const NOBODY: &str = "unknown";

/// Who acts in a request; a request extension. Whoever learns it says so, once.
#[derive(Debug, Clone, Default)]
pub struct Acting(Arc<OnceLock<String>>);

impl Acting {
    /// It is this one. A handler that a request reaches without a caller says so itself (POST /login).
    pub fn is(&self, name: &str) {
        // Who said it first knew it better: the token.
        let _already_known = self.0.set(name.to_owned());
    }
}

/// Where entries go, and what is worth one.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) directory: Option<Directory>,
    pub(crate) rules: Rules,
    pub(crate) clock: Clock,
}

/// Writes a request down once it is answered, whatever the answer is. That it cannot be written down is logged, and
/// keeps nobody from the answer.
pub(crate) async fn audit(State(book): State<Book>, mut request: Request, next: Next) -> Response {
    let Some(directory) = &book.directory else {
        return next.run(request).await;
    };
    let acting = Acting::default();
    request.extensions_mut().insert(acting.clone());
    let asked = Asked::of(&request, book.rules);
    let response = next.run(request).await;
    let who = acting.0.get().map(String::as_str);
    let Some(who) = who.or(asked.is_open_to_strangers.then_some(NOBODY)) else {
        return response;
    };
    if asked.changes {
        let entry = AuditEntry {
            at: book.clock.now(),
            who: who.to_owned(),
            method: asked.method,
            path: asked.path,
            status: response.status().as_u16(),
            request_id: asked.request_id,
            address: asked.address,
        };
        if timeout(PATIENCE, directory.record(&entry)).await.is_err() {
            tracing::error!(
                who,
                method = entry.method,
                path = entry.path,
                "not written down in time: who changed what is in this line alone"
            );
        }
    }
    response
}

/// What is kept of a request.
struct Asked {
    method: String,
    path: String,
    request_id: String,
    address: String,
    changes: bool,
    is_open_to_strangers: bool,
}

impl Asked {
    fn of(request: &Request, rules: Rules) -> Self {
        let extensions = request.extensions();
        let method = request.method();
        let template = extensions
            .get::<MatchedPath>()
            .map_or("", MatchedPath::as_str);
        let route = (method.as_str(), template);
        // The old way to claim is a GET.
        let claims = (rules.0)(route.0, route.1) == Some(Access::Use);
        let id = extensions.get::<RequestId>();
        let address = extensions.get::<SourceAddress>();
        Self {
            method: method.as_str().to_owned(),
            // Without the query. What is in the path names what was changed.
            path: request.uri().path().to_owned(),
            request_id: id.map(|RequestId(id)| id.clone()).unwrap_or_default(),
            address: address.cloned().unwrap_or_default().0,
            changes: claims || is_unsafe(method),
            is_open_to_strangers: STRANGERS.contains(&route),
        }
    }
}

fn is_unsafe(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}
