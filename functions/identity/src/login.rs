//! POST /login: a session for who has the password.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{Acting, Code, Json, Problem, SourceAddress};
use haulout_domain::identity::Session;

use crate::{Identity, Login, TokenView, refusal};

/// Log in.
///
/// The token holds for ten hours, or until POST /logout. After twelve wrong passwords in a row from one address, each
/// further one is followed by a while in which none is looked at: 30 seconds at first, twice as long each time, 15
/// minutes at most.
#[utoipa::path(
    post,
    path = "/login",
    tag = "identity",
    request_body = Login,
    responses(
        (status = 200, body = TokenView),
        (status = 400, description = "Malformed", body = haulout_api::problem::ProblemBody),
        (status = 401, description = "No such user, or the wrong password", body = haulout_api::problem::ProblemBody),
        (status = 429, description = "Too many wrong passwords in a row; `Retry-After` says when to come back", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn login(
    State(identity): State<Arc<Identity>>,
    SourceAddress(address): SourceAddress,
    acting: Option<Extension<Acting>>,
    Json(body): Json<Login>,
) -> Result<Json<TokenView>, Problem> {
    if let Some(Extension(acting)) = acting {
        acting.is(body.username.as_str());
    }
    let answer = identity.login(&body, &address).await;
    identity.count(match &answer {
        Ok(_) => "succeeded",
        Err(problem) => match problem.code() {
            Code::WrongCredentials => "wrong",
            Code::TooManyAttempts => "throttled",
            _ => "failed",
        },
    });
    answer.map(Json)
}

impl Identity {
    async fn login(&self, body: &Login, address: &str) -> Result<TokenView, Problem> {
        let now = self.clock.now();
        // First: a password that is right is of no use without them.
        let keys = self.signing_keys().await?;
        let user = self
            .recognise(&body.username, &body.password, address, now)
            .await?;
        let session = Session::new(&user, now);
        let claims = session.claims(&self.settings.issuer);
        let token = keys.sign(&claims).map_err(Problem::internal)?;
        let started = self.directory.start_session(&session).await;
        started.map_err(refusal::directory)?;
        tracing::info!(username = %user.username, jti = session.jti, "logged in");
        Ok(TokenView {
            token,
            expires_at: session.expires_at,
        })
    }
}
