//! Launch templates: kept, described, and resolved for a launch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::filters::Filters;
use super::launch_spec::{LaunchSpec, tag_specifications};
use super::paging::{numbered, page};
use super::query::Params;
use super::xml::Xml;
use super::{errors, idempotency, template_xml};
use crate::sim::answer::ApiError;
use crate::sim::config::LaunchTemplateSeed;
use crate::sim::ids;
use crate::sim::instance::Tags;
use crate::sim::state::{Call, World};

const PREFIX: &str = "lt-";

/// A launch template and its versions, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct LaunchTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) default_version: u32,
    pub(super) versions: Vec<Version>,
    pub(in crate::sim) tags: Tags,
}

/// One version of a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    pub(super) data: LaunchSpec,
}

impl LaunchTemplate {
    pub(super) fn latest_version(&self) -> u32 {
        self.versions.iter().map(|v| v.number).max().unwrap_or(0)
    }

    /// The version of that name: a number, `$Latest`, or `$Default`, which is also meant by none.
    pub(super) fn version(&self, name: Option<&str>) -> Result<&Version, ApiError> {
        let number = match name {
            None | Some("" | "$Default") => Some(self.default_version),
            Some("$Latest") => Some(self.latest_version()),
            Some(number) => number.parse().ok(),
        };
        self.versions
            .iter()
            .find(|v| Some(v.number) == number)
            .ok_or_else(|| {
                ApiError::client(
                    "InvalidLaunchTemplateId.VersionNotFound",
                    format!(
                        "Could not find the version {} of the launch template {}.",
                        name.unwrap_or("$Default"),
                        self.id
                    ),
                )
            })
    }
}

/// Puts a configured template into a world that does not have it.
pub(in crate::sim) fn seed(
    world: &mut World,
    seed: &LaunchTemplateSeed,
    wall: Timestamp,
) -> Result<(), ApiError> {
    if world.templates.contains_key(&seed.id) {
        return Ok(());
    }
    let data = LaunchSpec::read(&Params::new(seed.data.iter().cloned()))?;
    let template = template(
        seed.id.clone(),
        seed.name.clone(),
        None,
        data,
        Tags::new(),
        wall,
    );
    world.templates.insert(seed.id.clone(), template);
    world.touch();
    Ok(())
}

/// The template that a launch names, and its parameters. Answers the tags EC2 adds, too.
pub(super) fn resolve(
    world: &World,
    params: &Params,
) -> Result<Option<(LaunchSpec, Tags)>, ApiError> {
    let named = params.below("LaunchTemplate");
    if named.is_empty() {
        return Ok(None);
    }
    let template = find(
        world,
        named.get("LaunchTemplateId"),
        named.get("LaunchTemplateName"),
    )?;
    let version = template.version(named.get("Version"))?;
    let tags = Tags::from([
        ("aws:ec2launchtemplate:id".into(), template.id.clone()),
        (
            "aws:ec2launchtemplate:version".into(),
            version.number.to_string(),
        ),
    ]);
    Ok(Some((version.data.clone(), tags)))
}

/// The id and the name of the template with that id or that name.
pub(in crate::sim) fn identity(
    world: &World,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<(String, String), ApiError> {
    find(world, id, name).map(|template| (template.id.clone(), template.name.clone()))
}

pub(super) fn find<'w>(
    world: &'w World,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'w LaunchTemplate, ApiError> {
    match (id, name) {
        (Some(id), None) => {
            check_id(id)?;
            world.templates.get(id).ok_or_else(|| {
                ApiError::client(
                    "InvalidLaunchTemplateId.NotFoundException",
                    format!(
                        "The specified launch template, with template ID {id}, does not exist."
                    ),
                )
            })
        }
        (None, Some(name)) => world
            .templates
            .values()
            .find(|t| t.name == name)
            .ok_or_else(|| {
                ApiError::client(
                    "InvalidLaunchTemplateName.NotFoundException",
                    format!(
                        "The specified launch template, with template name {name}, does not exist."
                    ),
                )
            }),
        (Some(_), Some(_)) => Err(errors::combination(
            "Give either the launch template's ID or its name, not both.",
        )),
        (None, None) => Err(errors::missing("LaunchTemplateId or LaunchTemplateName")),
    }
}

fn check_id(id: &str) -> Result<(), ApiError> {
    if ids::is_resource(id, PREFIX) {
        Ok(())
    } else {
        Err(errors::malformed("InvalidLaunchTemplateId.Malformed", id))
    }
}

pub(super) fn create_launch_template(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    const ACTION: &str = "CreateLaunchTemplate";
    let token = idempotency::client_token(params)?;
    if let Some(token) = token
        && let Some(made) = idempotency::recall(call.world, ACTION, token, params)?
    {
        let template = made.first().and_then(|id| call.world.templates.get(id));
        return Ok(template_xml::created(template));
    }
    let name = params.required("LaunchTemplateName")?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"(). /_-".contains(&b);
    if !(3..=128).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(ApiError::client(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template's name has 3 to 128 letters, digits, or any of ( ) . / _ -",
        ));
    }
    if call.world.templates.values().any(|t| t.name == name) {
        return Err(ApiError::client(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        ));
    }
    let data = params.below("LaunchTemplateData");
    if data.is_empty() {
        return Err(errors::missing("LaunchTemplateData"));
    }
    let data = LaunchSpec::read(&data)?;
    let tags = tag_specifications(params)?
        .remove("launch-template")
        .unwrap_or_default();
    let id = ids::resource(PREFIX);
    let template = template(
        id.clone(),
        name.to_owned(),
        params.text("VersionDescription"),
        data,
        tags,
        call.wall,
    );
    let answer = template_xml::created(Some(&template));
    call.world.templates.insert(id.clone(), template);
    if let Some(token) = token {
        idempotency::remember(call.world, ACTION, token, params, vec![id]);
    }
    call.world.touch();
    Ok(answer)
}

pub(super) fn describe_launch_templates(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let filters = Filters::read(params, &["launch-template-name", "create-time"], true)?;
    let (ids, names) = (
        params.list("LaunchTemplateId"),
        params.list("LaunchTemplateName"),
    );
    ids.iter().try_for_each(|id| check_id(id))?;
    let exists = |code, missing: bool| {
        let message =
            "At least one of the launch templates specified in the request does not exist.";
        if missing {
            Err(ApiError::client(code, message))
        } else {
            Ok(())
        }
    };
    let templates = &call.world.templates;
    exists(
        "InvalidLaunchTemplateId.NotFoundException",
        ids.iter().any(|id| !templates.contains_key(id)),
    )?;
    exists(
        "InvalidLaunchTemplateName.NotFoundException",
        names
            .iter()
            .any(|name| !templates.values().any(|t| t.name == *name)),
    )?;
    let wanted = templates
        .values()
        .filter(|t| ids.is_empty() || ids.contains(&t.id))
        .filter(|t| names.is_empty() || names.contains(&t.name))
        .filter(|t| {
            filters.pass(&t.tags, |name| match name {
                "launch-template-name" => vec![t.name.clone()],
                _ => vec![t.created.to_string()],
            })
        });
    let page = page(params, "templates", numbered(wanted))?;
    Ok(template_xml::described(&page.items, page.next_token))
}

pub(super) fn describe_launch_template_versions(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let template = find(
        call.world,
        params.get("LaunchTemplateId"),
        params.get("LaunchTemplateName"),
    )?;
    let names = params.list("LaunchTemplateVersion");
    let versions: Vec<&Version> = if names.is_empty() {
        template.versions.iter().collect()
    } else {
        names
            .iter()
            .map(|name| template.version(Some(name)))
            .collect::<Result<_, _>>()?
    };
    let page = page(params, "template-versions", numbered(versions))?;
    Ok(template_xml::versions(
        template,
        &page.items,
        page.next_token,
    ))
}

fn template(
    id: String,
    name: String,
    description: Option<String>,
    data: LaunchSpec,
    tags: Tags,
    created: Timestamp,
) -> LaunchTemplate {
    let version = Version {
        number: 1,
        description,
        created,
        data,
    };
    LaunchTemplate {
        id,
        name,
        created,
        default_version: 1,
        versions: vec![version],
        tags,
    }
}
