//! CreateLaunchTemplateVersion and ModifyLaunchTemplate: new versions, and which one is the default.

use super::launch_spec::LaunchSpec;
use super::query::Params;
use super::templates::{self, Version};
use super::xml::Xml;
use super::{errors, idempotency, template_xml};
use crate::sim::answer::ApiError;
use crate::sim::state::Call;

pub(super) fn create_launch_template_version(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    const ACTION: &str = "CreateLaunchTemplateVersion";
    let template = named(call, params)?;
    let (id, latest) = (template.id.clone(), template.latest_version());
    let token = idempotency::client_token(params)?;
    if let Some(token) = token
        && let Some(made) = idempotency::recall(call.world, ACTION, token, params)?
    {
        let number = made.first().and_then(|number| number.parse().ok());
        return answer(call, &id, number.unwrap_or(latest));
    }
    let data = params.below("LaunchTemplateData");
    if data.is_empty() {
        return Err(errors::missing("LaunchTemplateData"));
    }
    let mut data = LaunchSpec::read(&data)?;
    if let Some(source) = params.get("SourceVersion") {
        data = data.over(template.version(Some(source))?.data.clone());
    }
    let version = Version {
        number: latest + 1,
        description: params.text("VersionDescription"),
        created: call.wall,
        data,
    };
    if let Some(template) = call.world.templates.get_mut(&id) {
        template.versions.push(version);
    }
    if let Some(token) = token {
        let made = vec![(latest + 1).to_string()];
        idempotency::remember(call.world, ACTION, token, params, made);
    }
    call.world.touch();
    answer(call, &id, latest + 1)
}

pub(super) fn modify_launch_template(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let wanted = params.required("SetDefaultVersion")?;
    let template = named(call, params)?;
    let (id, number) = (template.id.clone(), template.version(Some(wanted))?.number);
    if let Some(template) = call.world.templates.get_mut(&id) {
        template.default_version = number;
    }
    call.world.touch();
    Ok(template_xml::created(call.world.templates.get(&id)))
}

fn named<'c>(
    call: &'c Call<'_>,
    params: &Params,
) -> Result<&'c templates::LaunchTemplate, ApiError> {
    templates::find(
        call.world,
        params.get("LaunchTemplateId"),
        params.get("LaunchTemplateName"),
    )
}

fn answer(call: &Call<'_>, id: &str, number: u32) -> Result<Xml, ApiError> {
    let template = templates::find(call.world, Some(id), None)?;
    let version = template.version(Some(&number.to_string()))?;
    Ok(template_xml::version_created(template, version))
}
