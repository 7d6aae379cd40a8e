//! Instances named by id: checked for shape, then looked up as far as the caller may know them yet.

use jiff::Timestamp;

use super::errors;
use crate::sim::answer::ApiError;
use crate::sim::ids;
use crate::sim::instance::Instance;
use crate::sim::state::Call;

/// Refuses ids that EC2 would not even look up.
pub(super) fn check_shape(ids: &[String]) -> Result<(), ApiError> {
    match ids.iter().find(|id| !ids::is_resource(id, "i-")) {
        Some(bad) => Err(errors::malformed("InvalidInstanceID.Malformed", bad)),
        None => Ok(()),
    }
}

/// Refuses ids that are unknown: never given, gone, or too fresh, which `known_from` tells of an instance.
pub(super) fn check_known(
    call: &Call<'_>,
    ids: &[String],
    known_from: fn(&Instance) -> Timestamp,
) -> Result<(), ApiError> {
    check_shape(ids)?;
    let unknown: Vec<String> = ids
        .iter()
        .filter(|id| {
            let instance = call.world.instances.get(*id);
            !instance.is_some_and(|i| known_from(i) <= call.now && call.is_visible(i))
        })
        .cloned()
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(errors::not_found(
            "InvalidInstanceID.NotFound",
            "instance",
            &unknown,
        ))
    }
}
