//! /packages: what there is, one of it, and its end.

use std::sync::Arc;

use axum::{Extension, extract::State};
use haulout_api::{
    Caller, Json, Path, Problem, Query,
    page::{Limit, decode_cursor, encode_cursor},
};
use haulout_domain::package::PackageRef;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{Deleted, PackageList, PackageView, Packages, may_see, named, refusal};

/// How many index pages one request reads at most while it is short of packages that the caller may see.
const MAX_READS: u32 = 10;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many at most, 1 to 100; 50 when not given.
    pub(crate) limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// List packages.
///
/// By name and version; of sensitive ones, and those of groups, those that the caller may see.
#[utoipa::path(
    get,
    path = "/packages",
    tag = "packages",
    params(PageQuery),
    responses((status = 200, body = PackageList))
)]
pub(crate) async fn list(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PackageList>, Problem> {
    const FILTER: &str = "packages";
    let mut after: Option<PackageRef> = query
        .cursor
        .map(|cursor| decode_cursor(&cursor, &FILTER))
        .transpose()?;
    let limit = query.limit.unwrap_or_default().get();
    let mut shown = Vec::new();
    for _ in 0..MAX_READS {
        let wanted =
            i32::from(limit).saturating_sub(i32::try_from(shown.len()).unwrap_or(i32::MAX));
        let page = packages.registry.packages(after.as_ref(), wanted).await;
        let page = page.map_err(refusal::registry)?;
        shown.extend(
            page.packages
                .into_iter()
                .filter(|package| may_see(&caller, package).is_ok()),
        );
        after = page.next;
        if after.is_none() || shown.len() >= usize::from(limit) {
            break;
        }
    }
    Ok(Json(PackageList {
        packages: shown.into_iter().map(PackageView::from).collect(),
        next_cursor: after
            .map(|next| encode_cursor(&next, &FILTER))
            .transpose()?,
    }))
}

/// Read a package.
#[utoipa::path(
    get,
    path = "/packages/{name}/{version}",
    tag = "packages",
    params(
        ("name" = haulout_domain::package::PackageName, Path, description = "The package"),
        ("version" = haulout_domain::package::PackageVersion, Path, description = "Which one of it"),
    ),
    responses(
        (status = 200, body = PackageView),
        (status = 404, description = "No such package", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn get(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<PackageView>, Problem> {
    let package = packages.find_package(&named(&name, &version)?).await?;
    may_see(&caller, &package)?;
    Ok(Json(package.into()))
}

/// Delete a package.
///
/// Its owner may, and operators. The archive is deleted first, so that what is cut off shows as a package without an
/// archive, and deleting again ends it. Links that were handed out stop working.
#[utoipa::path(
    delete,
    path = "/packages/{name}/{version}",
    tag = "packages",
    params(
        ("name" = haulout_domain::package::PackageName, Path, description = "The package"),
        ("version" = haulout_domain::package::PackageVersion, Path, description = "Which one of it"),
    ),
    responses(
        (status = 200, body = Deleted),
        (status = 404, description = "No such package", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn delete(
    State(packages): State<Arc<Packages>>,
    Extension(caller): Extension<Caller>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Deleted>, Problem> {
    let reference = named(&name, &version)?;
    let package = packages.find_package(&reference).await?;
    caller.may_change(&package.owner)?;
    packages.objects.delete(&package.key.to_string()).await?;
    let deleted = packages.registry.delete_package(&package).await;
    deleted.map_err(refusal::registry)?;
    tracing::warn!(package = %reference, by = caller.name, "a package is deleted");
    packages.count("delete", "done");
    Ok(Json(Deleted {
        message: "The package is deleted.",
        package: reference,
    }))
}
