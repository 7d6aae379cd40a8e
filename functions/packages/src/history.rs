//! GET /history/{user_id}: which packages a user asked for.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Code, Json, Path, Problem, Query,
    page::{decode_cursor, encode_cursor},
};

use crate::{DownloadView, HistoryView, Packages, list::PageQuery, refusal, validate::caller_name};

/// Read what a user asked for.
///
/// Newest first: each request for a link, given or refused. `user_id` is the username, or what a service is called
/// (`iam:role:NAME`, `iam:user:NAME`); others' history is for the roles reader, operator and admin.
#[utoipa::path(
    get,
    path = "/history/{user_id}",
    tag = "packages",
    params(
        ("user_id" = String, Path, pattern = "^([A-Za-z0-9][A-Za-z0-9._@-]{0,63}|iam:(role|user):[A-Za-z0-9_+=,.@-]{1,64})$", description = "The username, or a service's name"),
        PageQuery,
    ),
    responses((status = 200, body = HistoryView))
)]
pub(crate) async fn history(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(user_id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<HistoryView>, Problem> {
    let user = caller_name(&user_id)
        .map_err(|error| Problem::new(Code::InvalidPath, format!("Path: {error}.")))?;
    caller.may_see(&user)?;
    let filter = ("history", user.as_str());
    let after: Option<String> = query
        .cursor
        .map(|cursor| decode_cursor(&cursor, &filter))
        .transpose()?;
    let limit = i32::from(query.limit.unwrap_or_default().get());
    let page = packages.registry.downloads(&user, after, limit);
    let page = page.await.map_err(refusal::registry)?;
    let next_cursor = page
        .next
        .map(|next| encode_cursor(&next, &filter))
        .transpose()?;
    let downloads: Vec<_> = page.downloads.into_iter().map(DownloadView::from).collect();
    Ok(Json(HistoryView {
        user_id: user,
        count: downloads.len(),
        downloads,
        next_cursor,
    }))
}
