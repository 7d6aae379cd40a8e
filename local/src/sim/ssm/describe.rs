//! GetCommandInvocation, ListCommands, ListCommandInvocations.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::command::{Command, Invocation};
use super::input::{check_instance_id, invalid, optional, page, required};
use super::send::DOCUMENT;
use super::status::{Status, status};
use crate::sim::answer::ApiError;
use crate::sim::state::Call;

const PLUGIN: &str = "aws:runShellScript";
const UUID_CHARS: usize = 36;
/// How much output the lists show.
const LISTED_CHARS: usize = 2_500;

pub(super) fn get_command_invocation(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let (command_id, instance_id): (String, String) =
        (required(body, "CommandId")?, required(body, "InstanceId")?);
    check_command_id(&command_id)?;
    check_instance_id(&instance_id)?;
    if let Some(other) = optional::<String>(body, "PluginName")?.filter(|name| name != PLUGIN) {
        return Err(ApiError::client(
            "InvalidPluginName",
            format!("The plugin name {other} isn't valid."),
        ));
    }
    let found = call
        .world
        .commands
        .get(&command_id)
        .filter(|command| command.exists_from <= call.now)
        .and_then(|command| Some((command, command.invocations.get(&instance_id)?)));
    let Some((command, invocation)) = found else {
        return Err(ApiError::client(
            "InvocationDoesNotExist",
            "The command ID and managed node ID you specified didn't match any invocations.",
        ));
    };
    let status = status_of(call, command, invocation, &instance_id);
    let (stdout, stderr) = output(invocation, &status);
    Ok(json!({
        "CommandId": command.id,
        "InstanceId": instance_id,
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGIN,
        "ResponseCode": status.response_code,
        "ExecutionStartDateTime": status.started.map(iso).unwrap_or_default(),
        "ExecutionElapsedTime": elapsed(&status),
        "ExecutionEndDateTime": status.ended.map(iso).unwrap_or_default(),
        "Status": status.name,
        "StatusDetails": status.details,
        "StandardOutputContent": stdout,
        "StandardOutputUrl": "",
        "StandardErrorContent": stderr,
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": { "CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false },
    }))
}

pub(super) fn list_commands(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let commands = commands(call, body)?;
    let rows: Vec<Value> = commands
        .into_iter()
        .map(|command| command_json(call, command))
        .collect();
    let (page, next_token) = page(body, rows, 1)?;
    Ok(with_token(json!({ "Commands": page }), next_token))
}

pub(super) fn list_command_invocations(
    call: &mut Call<'_>,
    body: &Value,
) -> Result<Value, ApiError> {
    let details = optional(body, "Details")?.unwrap_or(false);
    let instance: Option<String> = optional(body, "InstanceId")?;
    let rows: Vec<Value> = commands(call, body)?
        .into_iter()
        .flat_map(|command| {
            command
                .invocations
                .iter()
                .map(move |(id, invocation)| (command, id, invocation))
        })
        .filter(|(_, id, _)| instance.as_ref().is_none_or(|wanted| wanted == *id))
        .map(|(command, id, invocation)| invocation_json(call, command, id, invocation, details))
        .collect();
    let (page, next_token) = page(body, rows, 1)?;
    Ok(with_token(
        json!({ "CommandInvocations": page }),
        next_token,
    ))
}

/// The commands asked for by id or instance, newest first.
fn commands<'c>(call: &'c Call<'_>, body: &Value) -> Result<Vec<&'c Command>, ApiError> {
    let (id, instance): (Option<String>, Option<String>) =
        (optional(body, "CommandId")?, optional(body, "InstanceId")?);
    id.as_deref().map_or(Ok(()), check_command_id)?;
    instance.as_deref().map_or(Ok(()), check_instance_id)?;
    let wanted_status = status_filter(body)?;
    if let Some(id) = id
        .as_deref()
        .filter(|id| !call.world.commands.contains_key(*id))
    {
        return Err(ApiError::client(
            "InvalidCommandId",
            format!("The command ID {id} isn't valid."),
        ));
    }
    let mut commands: Vec<&Command> = call
        .world
        .commands
        .values()
        .filter(|command| command.exists_from <= call.now)
        .filter(|command| id.as_ref().is_none_or(|id| command.id == *id))
        .filter(|command| {
            instance
                .as_ref()
                .is_none_or(|id| command.invocations.contains_key(id))
        })
        .filter(|command| {
            wanted_status
                .as_ref()
                .is_none_or(|wanted| overall(call, command).name == wanted)
        })
        .collect();
    commands.sort_by_key(|command| std::cmp::Reverse(command.ordinal));
    Ok(commands)
}

/// The only filter simulated: `Status`.
fn status_filter(body: &Value) -> Result<Option<String>, ApiError> {
    let filters: Vec<Value> = optional(body, "Filters")?.unwrap_or_default();
    match filters.as_slice() {
        [] => Ok(None),
        [one] if one["key"] == "Status" => Ok(one["value"].as_str().map(Into::into)),
        _ => Err(ApiError::client(
            "InvalidFilterKey",
            "Of the filters only Status is simulated.",
        )),
    }
}

fn check_command_id(id: &str) -> Result<(), ApiError> {
    if id.len() == UUID_CHARS {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{id}' at 'commandId' failed to satisfy constraint: Member must have length \
         equal to {UUID_CHARS}"
    )))
}

fn status_of(
    call: &Call<'_>,
    command: &Command,
    invocation: &Invocation,
    instance_id: &str,
) -> Status {
    let instance = call.world.instances.get(instance_id);
    status(
        command,
        invocation,
        instance,
        call.now,
        call.config.cancel_delay,
    )
}

/// The command's status over all its machines.
fn overall(call: &Call<'_>, command: &Command) -> Status {
    // From the one that says most about the whole to the one that says least.
    const ORDER: [&str; 7] = [
        "InProgress",
        "Cancelling",
        "Pending",
        "Failed",
        "TimedOut",
        "Cancelled",
        "Success",
    ];
    let statuses = command
        .invocations
        .iter()
        .map(|(id, invocation)| status_of(call, command, invocation, id));
    let rank = |status: &Status| ORDER.iter().position(|name| *name == status.name);
    statuses.min_by_key(rank).unwrap_or_else(|| {
        status(
            command,
            &Invocation::default(),
            None,
            call.now,
            std::time::Duration::ZERO,
        )
    })
}

/// A command as SendCommand and ListCommands answer it.
pub(super) fn command_json(call: &Call<'_>, command: &Command) -> Value {
    let status = overall(call, command);
    let count = |names: &[&str]| {
        let statuses = command
            .invocations
            .iter()
            .map(|(id, i)| status_of(call, command, i, id));
        statuses
            .filter(|status| names.contains(&status.name) || names.contains(&status.details))
            .count()
    };
    let mut parameters = json!({
        "commands": command.lines,
        "executionTimeout": [command.execution_timeout.as_secs().to_string()],
    });
    if let Some(directory) = &command.working_directory {
        parameters["workingDirectory"] = json!([directory]);
    }
    json!({
        "CommandId": command.id,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": epoch(command.expires()),
        "Parameters": parameters,
        "InstanceIds": command.invocations.keys().collect::<Vec<_>>(),
        "Targets": [],
        "RequestedDateTime": epoch(command.requested),
        "Status": status.name,
        "StatusDetails": status.details,
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": command.invocations.len(),
        "CompletedCount": count(&["Success", "Failed", "TimedOut", "Cancelled"]),
        "ErrorCount": count(&["Failed", "ExecutionTimedOut"]),
        "DeliveryTimedOutCount": count(&["DeliveryTimedOut"]),
        "TimeoutSeconds": command.delivery_timeout.as_secs(),
    })
}

fn invocation_json(
    call: &Call<'_>,
    command: &Command,
    id: &str,
    invocation: &Invocation,
    details: bool,
) -> Value {
    let status = status_of(call, command, invocation, id);
    let (stdout, stderr) = output(invocation, &status);
    let mut row = json!({
        "CommandId": command.id,
        "InstanceId": id,
        "InstanceName": "",
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": epoch(command.requested),
        "Status": status.name,
        "StatusDetails": status.details,
        "CommandPlugins": [],
    });
    if details {
        let both = match stderr {
            "" => stdout.to_owned(),
            stderr => format!("{stdout}\n----------ERROR-------\n{stderr}"),
        };
        row["CommandPlugins"] = json!([{
            "Name": PLUGIN,
            // A plugin is never Cancelling.
            "Status": if status.name == "Cancelling" { "InProgress" } else { status.name },
            "StatusDetails": status.details,
            "ResponseCode": status.response_code,
            "ResponseStartDateTime": status.started.map(epoch),
            "ResponseFinishDateTime": status.ended.map(epoch),
            "Output": both.chars().take(LISTED_CHARS).collect::<String>(),
        }]);
    }
    row
}

fn output<'i>(invocation: &'i Invocation, status: &Status) -> (&'i str, &'i str) {
    match &invocation.end {
        Some(end) if status.has_output => (&end.stdout, &end.stderr),
        _ => ("", ""),
    }
}

fn with_token(mut answer: Value, next_token: Option<String>) -> Value {
    if let Some(token) = next_token {
        answer["NextToken"] = json!(token);
    }
    answer
}

/// An instant as AWS JSON writes it: seconds since the epoch.
pub(super) fn epoch(at: Timestamp) -> f64 {
    std::time::Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)).as_secs_f64()
}

fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn elapsed(status: &Status) -> String {
    match (status.started, status.ended) {
        (Some(start), Some(end)) => {
            format!("PT{}S", end.duration_since(start).as_secs_f64().max(0.0))
        }
        _ => String::new(),
    }
}
