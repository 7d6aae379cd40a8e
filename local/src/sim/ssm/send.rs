//! SendCommand: AWS-RunShellScript to machines whose agent is online.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::command::{Command, Invocation};
use super::describe::command_json;
use super::input::{check_instance_id, invalid, optional, required};
use crate::sim::answer::ApiError;
use crate::sim::armed::{Behaviour, Target};
use crate::sim::clock::after;
use crate::sim::config::ACCOUNT_ID;
use crate::sim::exec::Executor;
use crate::sim::ids;
use crate::sim::instance::Ping;
use crate::sim::lifecycle;
use crate::sim::state::Call;

pub(super) const DOCUMENT: &str = "AWS-RunShellScript";

/// Systems Manager's limits and defaults, in seconds.
const EXECUTION_TIMEOUT: std::ops::RangeInclusive<u64> = 1..=172_800;
const DEFAULT_EXECUTION_TIMEOUT: u64 = 3_600;
const DELIVERY_TIMEOUT: std::ops::RangeInclusive<u64> = 30..=2_592_000;
const DEFAULT_DELIVERY_TIMEOUT: u64 = 3_600;
const MAX_INSTANCES: usize = 50;
const MAX_COMMENT: usize = 100;

/// The document's parameters, checked.
struct Parameters {
    lines: Vec<String>,
    working_directory: Option<String>,
    execution_timeout: Duration,
}

pub(super) fn send_command(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let document: String = required(body, "DocumentName")?;
    if document != DOCUMENT {
        return Err(ApiError::client(
            "InvalidDocument",
            format!("The document {document} does not exist."),
        ));
    }
    let comment: String = optional(body, "Comment")?.unwrap_or_default();
    if comment.chars().count() > MAX_COMMENT {
        return Err(invalid(format!(
            "Value at 'comment' is longer than {MAX_COMMENT} characters"
        )));
    }
    let delivery_timeout = optional(body, "TimeoutSeconds")?.unwrap_or(DEFAULT_DELIVERY_TIMEOUT);
    if !DELIVERY_TIMEOUT.contains(&delivery_timeout) {
        return Err(invalid(format!(
            "Value '{delivery_timeout}' at 'timeoutSeconds' is not between {} and {}",
            DELIVERY_TIMEOUT.start(),
            DELIVERY_TIMEOUT.end()
        )));
    }
    let parameters = parameters(optional(body, "Parameters")?.unwrap_or_default())?;
    let instance_ids = instances(call, body)?;
    call.world.sent += 1;
    let mut command = Command {
        id: ids::uuid(),
        ordinal: call.world.sent,
        sent_at: call.now,
        requested: call.wall,
        exists_from: after(call.now, call.config.invocation_lag),
        comment,
        lines: parameters.lines,
        working_directory: parameters.working_directory,
        execution_timeout: parameters.execution_timeout,
        delivery_timeout: Duration::from_secs(delivery_timeout),
        invocations: BTreeMap::new(),
    };
    for instance_id in instance_ids {
        let invocation = invocation(call, &instance_id, body);
        call.world
            .to_execute
            .push((command.id.clone(), instance_id.clone()));
        command.invocations.insert(instance_id, invocation);
    }
    let answer = json!({ "Command": command_json(call, &command) });
    call.world.commands.insert(command.id.clone(), command);
    call.world.touch();
    Ok(answer)
}

fn parameters(mut given: BTreeMap<String, Vec<String>>) -> Result<Parameters, ApiError> {
    let wrong = |message: String| Err(ApiError::client("InvalidParameters", message));
    let lines = given.remove("commands").unwrap_or_default();
    if lines.is_empty() {
        return wrong("Document AWS-RunShellScript requires the parameter commands.".into());
    }
    let mut single = |name: &str| match given.remove(name).as_deref() {
        None | Some([]) => Ok(None),
        Some([one]) => Ok(Some(one.clone())),
        Some(_) => Err(ApiError::client(
            "InvalidParameters",
            format!("Parameter {name} takes one value."),
        )),
    };
    let working_directory = single("workingDirectory")?.filter(|directory| !directory.is_empty());
    let timeout = single("executionTimeout")?;
    let seconds = match &timeout {
        None => DEFAULT_EXECUTION_TIMEOUT,
        Some(text) => match text.parse() {
            Ok(seconds) if EXECUTION_TIMEOUT.contains(&seconds) => seconds,
            _ => return wrong(format!("Parameter executionTimeout is not valid: {text}.")),
        },
    };
    match given.keys().next() {
        Some(unknown) => wrong(format!(
            "Parameter {unknown} is not defined in the document."
        )),
        None => Ok(Parameters {
            lines,
            working_directory,
            execution_timeout: Duration::from_secs(seconds),
        }),
    }
}

/// The machines asked for, all of which must be online.
fn instances(call: &Call<'_>, body: &Value) -> Result<Vec<String>, ApiError> {
    let wanted: Vec<String> = required(body, "InstanceIds")?;
    if wanted.is_empty() || wanted.len() > MAX_INSTANCES {
        return Err(invalid(format!("Give 1 to {MAX_INSTANCES} instance IDs")));
    }
    wanted.iter().try_for_each(|id| check_instance_id(id))?;
    if (1..wanted.len()).any(|n| wanted[..n].contains(&wanted[n])) {
        return Err(ApiError::client(
            "DuplicateInstanceId",
            "You can't specify an instance ID in more than one place.",
        ));
    }
    let online = |id: &String| {
        call.world
            .instances
            .get(id)
            .is_some_and(|i| i.ping(call.now) == Some(Ping::Online))
    };
    let offline: Vec<&str> = wanted
        .iter()
        .filter(|id| !online(id))
        .map(String::as_str)
        .collect();
    if offline.is_empty() {
        return Ok(wanted);
    }
    Err(ApiError::client(
        "InvalidInstanceId",
        format!(
            "Instances [[{}]] not in a valid state for account {ACCOUNT_ID}",
            offline.join(", ")
        ),
    ))
}

fn invocation(call: &mut Call<'_>, instance_id: &str, body: &Value) -> Invocation {
    let pickup = after(call.now, call.config.command_pickup_delay);
    let mut invocation = Invocation {
        pickup_at: Some(pickup),
        real: matches!(call.config.executor, Executor::Real { .. }),
        ..Invocation::default()
    };
    match call.faults.behaviour("command", &Target::Json(body)) {
        None => {}
        Some(Behaviour::Never) => invocation.pickup_at = None,
        Some(Behaviour::Slow(more)) => invocation.pickup_at = Some(after(pickup, more)),
        Some(Behaviour::Hang) => invocation.hangs = true,
        Some(Behaviour::Dies(_)) => {
            invocation.hangs = true;
            if let Some(instance) = call.world.instances.get_mut(instance_id) {
                // A second after it began.
                lifecycle::die(instance, after(pickup, Duration::from_secs(1)), call.config);
            }
        }
    }
    invocation
}
