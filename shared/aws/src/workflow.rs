//! Step Functions: the executions of the provisioning state machine.

use aws_config::SdkConfig;
use aws_sdk_sfn::{Client, types::ExecutionStatus};
use haulout_domain::{machine::Machine, sweep::Execution};
use serde_json::json;

use crate::error::AwsError;

/// Version of the executions' input.
const INPUT_SCHEMA: u32 = 2;

/// The state machine.
#[derive(Debug, Clone)]
pub struct Workflow {
    client: Client,
    /// ARN of the alias that executions are started through.
    alias_arn: String,
}

impl Workflow {
    /// The state machine behind an alias (or unqualified) ARN.
    pub fn new(config: &SdkConfig, alias_arn: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            alias_arn: alias_arn.into(),
        }
    }

    /// Starts the execution that should work on the machine. One of that name counts as started, whether
    /// it runs or is over: who needs to know looks it up.
    pub async fn start(&self, machine: &Machine) -> Result<(), AwsError> {
        let input = json!({
            "machine_id": machine.id,
            "cycle": machine.cycle,
            "schema": INPUT_SCHEMA,
        });
        let answer = self
            .client
            .start_execution()
            .state_machine_arn(&self.alias_arn)
            .name(machine.execution_name())
            .input(input.to_string())
            .send()
            .await
            .map_err(|error| AwsError::new("StartExecution", error));
        match answer {
            Err(error) if !error.is("ExecutionAlreadyExists") => Err(error),
            _ => Ok(()),
        }
    }

    /// How the execution stands that should be working on the machine.
    pub async fn look_up(&self, machine: &Machine) -> Result<Execution, AwsError> {
        let answer = self
            .client
            .describe_execution()
            .execution_arn(execution_arn(&self.alias_arn, &machine.execution_name()))
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeExecution", error));
        match answer {
            Ok(answer) => Ok(match answer.status() {
                ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Execution::Running,
                _ => Execution::Closed,
            }),
            Err(error) if error.is("ExecutionDoesNotExist") => Ok(Execution::NotFound),
            Err(error) => Err(error),
        }
    }
}

/// `arn:aws:states:region:account:stateMachine:name[:alias]` and an execution's name make
/// `arn:aws:states:region:account:execution:name:execution`.
fn execution_arn(state_machine_arn: &str, execution: &str) -> String {
    let mut parts: Vec<&str> = state_machine_arn.split(':').take(7).collect();
    if let Some(kind) = parts.get_mut(5) {
        *kind = "execution";
    }
    parts.push(execution);
    parts.join(":")
}
