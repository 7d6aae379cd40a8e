//! CreateTags and DescribeTags, on instances, volumes, launch templates, security groups and spot requests.

use super::filters::Filters;
use super::paging::{numbered, page};
use super::query::Params;
use super::selection::check_known;
use super::xml::Xml;
use super::{errors, groups, tag_rules};
use crate::sim::answer::ApiError;
use crate::sim::ids;
use crate::sim::instance::Tags;
use crate::sim::state::{Call, World};

pub(super) fn create_tags(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let wanted = params.list("ResourceId");
    let tags = tag_rules::read(params)?;
    if wanted.is_empty() {
        return Err(errors::missing("ResourceId"));
    }
    if tags.is_empty() {
        return Err(errors::missing("Tag"));
    }
    // All are checked before any is changed.
    for id in &wanted {
        let existing = tags_of(call, id)?;
        let mut together = existing.clone();
        together.extend(tags.clone());
        tag_rules::check_count(&together)?;
    }
    for id in &wanted {
        if let Some(existing) = find(call.world, id) {
            existing.extend(tags.clone());
        }
    }
    call.world.touch();
    let mut xml = Xml::default();
    xml.value("return", true);
    Ok(xml)
}

/// The tags of the resource with that id, or why there is none.
fn tags_of<'c>(call: &'c mut Call<'_>, id: &String) -> Result<&'c Tags, ApiError> {
    let not_found = |code, what| errors::not_found(code, what, std::slice::from_ref(id));
    let (prefix, error) = match id.split_once('-').map(|(kind, _)| kind) {
        Some("i") => {
            check_known(call, std::slice::from_ref(id), |i| i.changeable_from)?;
            ("i-", not_found("InvalidInstanceID.NotFound", "instance"))
        }
        Some("sg") => {
            let error = not_found("InvalidGroup.NotFound", "security group");
            if ids::is_resource(id, "sg-") && !groups::is_changeable(call, id) {
                return Err(error);
            }
            ("sg-", error)
        }
        Some("vol") => ("vol-", not_found("InvalidVolume.NotFound", "volume")),
        Some("lt") => (
            "lt-",
            not_found(
                "InvalidLaunchTemplateId.NotFoundException",
                "launch template",
            ),
        ),
        Some("sir") => (
            "sir-",
            not_found(
                "InvalidSpotInstanceRequestID.NotFound",
                "spot instance request",
            ),
        ),
        _ => {
            return Err(ApiError::client(
                "InvalidID",
                format!("The ID '{id}' is not valid"),
            ));
        }
    };
    if !ids::is_resource(id, prefix) {
        return Err(ApiError::client(
            "InvalidID",
            format!("The ID '{id}' is not valid"),
        ));
    }
    match find(call.world, id) {
        Some(tags) => Ok(tags),
        None => Err(error),
    }
}

fn find<'w>(world: &'w mut World, id: &str) -> Option<&'w mut Tags> {
    let World {
        instances,
        templates,
        spot_requests,
        security_groups,
        ..
    } = world;
    if let Some(template) = templates.get_mut(id) {
        return Some(&mut template.tags);
    }
    if let Some(group) = security_groups.get_mut(id) {
        return Some(&mut group.tags);
    }
    if let Some(request) = spot_requests.get_mut(id) {
        return Some(&mut request.tags);
    }
    if instances.contains_key(id) {
        return instances.get_mut(id).map(|instance| &mut instance.tags);
    }
    instances
        .values_mut()
        .flat_map(|i| &mut i.volumes)
        .find(|v| v.id == id)
        .map(|v| &mut v.tags)
}

pub(super) fn describe_tags(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let filters = Filters::read(
        params,
        &["key", "resource-id", "resource-type", "value"],
        true,
    )?;
    let mut rows: Vec<(&str, &str, &Tags)> = Vec::new();
    for instance in call.described() {
        rows.push((&instance.id, "instance", &instance.tags));
        rows.extend(
            instance
                .volumes
                .iter()
                .map(|v| (v.id.as_str(), "volume", &v.tags)),
        );
    }
    let World {
        templates,
        spot_requests,
        security_groups,
        ..
    } = &*call.world;
    rows.extend(
        security_groups
            .iter()
            .filter(|(_, group)| group.described_from <= call.now)
            .map(|(id, g)| (id.as_str(), "security-group", &g.tags)),
    );
    rows.extend(
        templates
            .iter()
            .map(|(id, t)| (id.as_str(), "launch-template", &t.tags)),
    );
    rows.extend(
        spot_requests
            .iter()
            .map(|(id, r)| (id.as_str(), "spot-instances-request", &r.tags)),
    );
    let single = rows
        .into_iter()
        .flat_map(|(id, kind, tags)| tags.iter().map(move |(k, v)| (id, kind, k, v)));
    let wanted = single.filter(|(id, kind, key, value)| {
        let own = Tags::from([((*key).clone(), (*value).clone())]);
        filters.pass(&own, |name| match name {
            "key" => vec![(*key).clone()],
            "value" => vec![(*value).clone()],
            "resource-id" => vec![(*id).to_owned()],
            _ => vec![(*kind).to_owned()],
        })
    });
    let page = page(params, "tags", numbered(wanted))?;
    let mut xml = Xml::default();
    xml.list("tagSet", page.items, |xml, (id, kind, key, value)| {
        xml.value("resourceId", id);
        xml.value("resourceType", kind);
        xml.value("key", key);
        xml.value("value", value);
    });
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}
