//! UpdateAutoScalingGroup: what is given changes, the rest stays.

use super::{capacity, find, read, settle};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

pub(super) fn update_group(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (template, places) = (read::template(call, params)?, read::places(call, params)?);
    let group = find::named(call, params)?;
    let sizes = read::sizes(params, group.sizes)?;
    let settings = read::settings(params, &group.settings)?;
    let lifetime_changed = settings.max_lifetime != group.settings.max_lifetime;
    (group.sizes, group.settings) = (sizes, settings);
    if let Some(template) = template {
        group.template = template;
    }
    if !places.is_empty() {
        group.places = places;
    }
    capacity::try_anew(group);
    let name = group.name.clone();
    if lifetime_changed {
        // A lifetime holds for the instances that are there, too: they are to be looked at when it is over.
        settle::resumed(call, &name);
    } else {
        settle::reconsider(call, &name);
    }
    Ok(Xml::default())
}
