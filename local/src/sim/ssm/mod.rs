//! The part of Systems Manager's API that the control plane calls: AWS JSON 1.1 in and out.

mod agents;
mod cancel;
mod command;
mod describe;
mod input;
mod parameters;
mod send;
mod status;

pub(super) use command::{
    Command, End, How, Invocation, InvocationKey, STDERR_CHARS, STDOUT_CHARS,
};
pub(super) use status::status;

use serde_json::Value;

use super::answer::{Action, ApiError};
use super::state::Call;

/// A Systems Manager action.
pub(super) type SsmAction = Action<Value, Value>;

/// The actions imitated.
pub(super) const ACTIONS: &[SsmAction] = &[
    Action {
        name: "DescribeInstanceInformation",
        parameters: &[
            "Filters",
            "InstanceInformationFilterList",
            "MaxResults",
            "NextToken",
        ],
        run: agents::describe_instance_information,
    },
    Action {
        name: "SendCommand",
        parameters: &[
            "InstanceIds",
            "DocumentName",
            "DocumentVersion",
            "Parameters",
            "TimeoutSeconds",
            "Comment",
        ],
        run: send::send_command,
    },
    Action {
        name: "GetCommandInvocation",
        parameters: &["CommandId", "InstanceId", "PluginName"],
        run: describe::get_command_invocation,
    },
    Action {
        name: "ListCommands",
        parameters: &[
            "CommandId",
            "InstanceId",
            "MaxResults",
            "NextToken",
            "Filters",
        ],
        run: describe::list_commands,
    },
    Action {
        name: "ListCommandInvocations",
        parameters: &[
            "CommandId",
            "InstanceId",
            "MaxResults",
            "NextToken",
            "Filters",
            "Details",
        ],
        run: describe::list_command_invocations,
    },
    Action {
        name: "CancelCommand",
        parameters: &["CommandId", "InstanceIds"],
        run: cancel::cancel_command,
    },
    Action {
        name: "GetParameter",
        parameters: &["Name", "WithDecryption"],
        run: parameters::get_parameter,
    },
    Action {
        name: "GetParameters",
        parameters: &["Names", "WithDecryption"],
        run: parameters::get_parameters,
    },
];

/// The action of that name.
pub(super) fn action(name: &str) -> Option<&'static SsmAction> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Checks what all actions have in common, then does what `action` does.
pub(super) fn perform(
    action: &SsmAction,
    call: &mut Call<'_>,
    body: &Value,
) -> Result<Value, ApiError> {
    let Some(members) = body.as_object() else {
        return Err(ApiError::client(
            "SerializationException",
            "The body is not a JSON object.",
        ));
    };
    if let Some(unknown) = members
        .keys()
        .find(|name| !action.parameters.contains(&name.as_str()))
    {
        return Err(input::invalid(format!(
            "{unknown} of {} is not simulated",
            action.name
        )));
    }
    (action.run)(call, body)
}
