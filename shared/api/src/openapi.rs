//! The OpenAPI document. Each function describes its own operations; what they have in common, among it every
//! problem an operation can answer with, is added here once.

use haulout_domain::{
    access::{Access, access_of},
    identity::Username,
    ids::MachineRef,
    package::{PackageName, PackageVersion, UploadId},
    pool::ProjectId,
};
use http::StatusCode;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
        Ref, RefOr, Response, ResponseBuilder, Schema, SecurityRequirement, ServerBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use crate::{
    page::Limit,
    problem::{CONTENT_TYPE_PROBLEM, Code, ProblemBody},
};

/// The name of the bearer token's scheme.
const BEARER: &str = "bearer";

const DESCRIPTION: &str = "\
A serverless control plane for EC2 machines: ask for a machine with a model on it, and it is launched, staged, \
watched and cleaned up.

Every answer that is not a success is `application/problem+json` (RFC 9457), with a stable `code`. The exceptions \
are API Gateway's own 413, 429 and 503, which it gives before a request arrives here: `{\"message\": \"…\"}`.";

/// What an operation may always answer, or only with a token or a body: status and meaning.
const ALWAYS: &[(&str, &str)] = &[
    (
        "400",
        "The request is malformed; `detail` names the field, parameter or header",
    ),
    ("500", "A fault of ours; report it with the `request_id`"),
];
const WITH_TOKEN: &[(&str, &str)] = &[
    ("401", "No token, or not one that is accepted"),
    (
        "503",
        "AWS is not available, or asks us to slow down; `Retry-After` says when to come back",
    ),
];
const WITH_ROLE: &[(&str, &str)] = &[(
    "403",
    "The caller has no role for it, or it is somebody else's",
)];
const WITH_BODY: &[(&str, &str)] = &[
    ("413", "The body is larger than 64 KiB"),
    ("415", "The body is not JSON by its Content-Type"),
];

/// The whole document, from the functions' parts.
pub fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut document = parts.into_iter().fold(base(), OpenApi::merge_from);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(operation, access_of(method, path));
            name(operation, method, path);
        }
    }
    document
}

/// The methods a path has, in capitals, and their operations.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
        ("PATCH", &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn base() -> OpenApi {
    // Parameters' types are named by the operations, but not collected from them.
    let schemas = [
        (Code::name(), Code::schema()),
        (Limit::name(), Limit::schema()),
        (MachineRef::name(), MachineRef::schema()),
        (PackageName::name(), PackageName::schema()),
        (PackageVersion::name(), PackageVersion::schema()),
        (ProblemBody::name(), ProblemBody::schema()),
        (ProjectId::name(), ProjectId::schema()),
        (UploadId::name(), UploadId::schema()),
        (Username::name(), Username::schema()),
    ];
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Haulout")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(
                    LicenseBuilder::new()
                        .name("MIT")
                        .identifier(Some("MIT"))
                        .build(),
                )),
        )
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(schemas)
                .security_scheme(BEARER, bearer())
                .build(),
        ))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], _>(
            BEARER,
            [],
        )]))
        .tags(Some([
            TagBuilder::new()
                .name("machines")
                .description(Some("EC2 machines, from request to end"))
                .build(),
            TagBuilder::new()
                .name("pool")
                .description(Some("Idle machines, kept ready and handed to projects"))
                .build(),
            TagBuilder::new()
                .name("identity")
                .description(Some("Users, and the tokens they call with"))
                .build(),
            TagBuilder::new()
                .name("packages")
                .description(Some("Packages, uploaded and handed out by their rules"))
                .build(),
            TagBuilder::new()
                .name("service")
                .description(Some("The service itself"))
                .build(),
        ]))
        .build()
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of POST /login; it holds for 10 hours"));
    SecurityScheme::Http(scheme.build())
}

/// Adds the problems, and says when no token is needed.
fn complete(operation: &mut Operation, access: Option<Access>) {
    let mut problems = ALWAYS.to_vec();
    if access == Some(Access::Public) {
        operation.security = Some(Vec::new());
    } else {
        problems.extend(WITH_TOKEN);
    }
    if !matches!(access, Some(Access::Public | Access::SignedIn)) {
        problems.extend(WITH_ROLE);
    }
    if operation.request_body.is_some() {
        problems.extend(WITH_BODY);
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in problems {
        responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(ResponseBuilder::new().description(description).build()));
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            finish(status, response);
        }
    }
}

/// What a function said only in short: a response has a description, and one that is no success is a problem.
fn finish(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let status = status.parse().unwrap_or(StatusCode::OK);
        status
            .canonical_reason()
            .unwrap_or_default()
            .clone_into(&mut response.description);
    }
    if status.starts_with(['4', '5']) {
        let schema: RefOr<Schema> = Ref::from_schema_name(ProblemBody::name()).into();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response.content.clear();
        response
            .content
            .insert(CONTENT_TYPE_PROBLEM.to_owned(), RefOr::T(content));
    }
}

/// Operation ids are unique in a document, which handlers' names are not: method and path are.
fn name(operation: &mut Operation, method: &str, path: &str) {
    let words = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let method = method.to_lowercase();
    let id: Vec<&str> = [method.as_str()].into_iter().chain(words).collect();
    operation.operation_id = Some(id.join("_"));
}
