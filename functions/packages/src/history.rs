//! GET /history/{user_id}: which packages a user asked for.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Code, Json, Path, Problem, Query,
    page::{decode_cursor, encode_cursor},
};
use haulout_domain::identity::Username;

use crate::{DownloadView, HistoryView, Packages, list::PageQuery, refusal};

/// Read what a user asked for.
///
/// Newest first: each request for a link, given or refused. `user_id` is the username; others' history is for the roles
/// reader, operator and admin.
#[utoipa::path(
    get,
    path = "/history/{user_id}",
    tag = "packages",
    params(("user_id" = String, Path, description = "The username"), PageQuery),
    responses((status = 200, body = HistoryView))
)]
pub(crate) async fn history(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path(user_id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<HistoryView>, Problem> {
    let user: Username = user_id
        .parse()
        .map_err(|error| Problem::new(Code::InvalidPath, format!("Path: {error}.")))?;
    caller.may_see(user.as_str())?;
    let filter = ("history", user.as_str());
    let after: Option<String> = query
        .cursor
        .map(|cursor| decode_cursor(&cursor, &filter))
        .transpose()?;
    let limit = i32::from(query.limit.unwrap_or_default().get());
    let page = packages.registry.downloads(user.as_str(), after, limit);
    let page = page.await.map_err(refusal::registry)?;
    let next_cursor = page
        .next
        .map(|next| encode_cursor(&next, &filter))
        .transpose()?;
    let downloads: Vec<_> = page.downloads.into_iter().map(DownloadView::from).collect();
    Ok(Json(HistoryView {
        user_id: user.to_string(),
        count: downloads.len(),
        downloads,
        next_cursor,
    }))
}
