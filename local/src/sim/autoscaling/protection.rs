//! SetInstanceProtection: all of the instances named, or none.

use super::errors::{needed, validation};
use super::member::Lifecycle;
use super::{find, settle};
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};
use crate::sim::state::Call;

/// How many instances one call may name.
const MOST: usize = 50;

pub(super) fn set_instance_protection(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let protected: bool = needed(params, "ProtectedFromScaleIn")?;
    let ids = params.list("InstanceIds.member");
    if ids.is_empty() {
        return Err(validation(
            "1 validation error detected: Value null at 'instanceIds' failed to satisfy constraint: Member must not be \
             null",
        ));
    }
    if ids.len() > MOST {
        return Err(validation(format!(
            "The number of instance ids that may be passed in is limited to {MOST}"
        )));
    }
    let group = find::named(call, params)?;
    for id in &ids {
        let member = group.members.get(id).ok_or_else(|| {
            validation(format!(
                "The instance {id} is not part of Auto Scaling group {}.",
                group.name
            ))
        })?;
        if member.lifecycle != Lifecycle::InService {
            return Err(validation(format!(
                "The instance {id} is not in InService or EnteringStandby or Standby."
            )));
        }
    }
    for id in &ids {
        if let Some(member) = group.members.get_mut(id) {
            member.protected = protected;
        }
    }
    let name = group.name.clone();
    settle::reconsider(call, &name);
    Ok(Xml::default())
}
