//! CancelCommand: on the machines named, or on all; what has ended stays as it ended.

use serde_json::{Value, json};

use super::input::{check_instance_id, optional, required};
use super::status::status;
use crate::sim::answer::ApiError;
use crate::sim::state::{Call, World};

pub(super) fn cancel_command(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let id: String = required(body, "CommandId")?;
    let wanted: Vec<String> = optional(body, "InstanceIds")?.unwrap_or_default();
    wanted.iter().try_for_each(|id| check_instance_id(id))?;
    let World {
        commands,
        instances,
        ..
    } = &mut *call.world;
    let Some(command) = commands.get_mut(&id) else {
        return Err(ApiError::client(
            "InvalidCommandId",
            format!("The command ID {id} isn't valid."),
        ));
    };
    if let Some(other) = wanted
        .iter()
        .find(|instance| !command.invocations.contains_key(*instance))
    {
        return Err(ApiError::client(
            "InvalidInstanceId",
            format!("The command was not sent to {other}."),
        ));
    }
    let targets: Vec<String> = command
        .invocations
        .iter()
        .filter(|(instance, _)| wanted.is_empty() || wanted.contains(instance))
        .filter(|(instance, invocation)| {
            let state = status(
                command,
                invocation,
                instances.get(*instance),
                call.now,
                call.config.cancel_delay,
            );
            matches!(state.name, "Pending" | "InProgress")
        })
        .map(|(instance, _)| instance.clone())
        .collect();
    for instance in targets {
        if let Some(invocation) = command.invocations.get_mut(&instance) {
            invocation.cancelled_at.get_or_insert(call.now);
        }
    }
    call.world.touch();
    Ok(json!({}))
}
