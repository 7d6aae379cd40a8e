//! SSM: whether a machine's agent reports, and the staging command.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_ssm::{
    Client,
    types::{
        CommandInvocationStatus, InstanceInformationFilterKey, InstanceInformationStringFilter,
        PingStatus,
    },
};
use haulout_domain::{ids::InstanceId, poll::DELIVERY_SECONDS, transition::CommandState};
use jiff::Timestamp;

use crate::error::AwsError;

/// The document that runs a shell script.
const DOCUMENT: &str = "AWS-RunShellScript";
/// The most agents that are asked for in a call, and shown on a page (SSM API, DescribeInstanceInformation).
pub const MOST_ASKED: usize = 50;
const PAGE: i32 = 50;

/// SSM.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
}

impl Remote {
    /// SSM.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// Whether the machine's agent reports (DescribeInstanceInformation, `PingStatus`).
    ///
    /// `since` is when the instance was last started: an agent that was online before it stopped is said to be
    /// so for some minutes more.
    pub async fn is_online(
        &self,
        id: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<bool, AwsError> {
        const OPERATION: &str = "DescribeInstanceInformation";
        let filter = InstanceInformationStringFilter::builder()
            .key(InstanceInformationFilterKey::InstanceIds.as_str())
            .values(id.as_str())
            .build()
            .map_err(|_| AwsError::incomplete(OPERATION, "a required field"))?;
        let answer = self
            .client
            .describe_instance_information()
            .filters(filter)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        Ok(answer.instance_information_list().iter().any(|info| {
            info.instance_id() == Some(id.as_str())
                && info.ping_status() == Some(&PingStatus::Online)
                && info
                    .last_ping_date_time()
                    .zip(since)
                    .is_none_or(|(ping, since)| ping.secs() >= since.as_second())
        }))
    }

    /// Those of the instances whose agents report.
    pub async fn online(&self, ids: &[InstanceId]) -> Result<BTreeSet<InstanceId>, AwsError> {
        const OPERATION: &str = "DescribeInstanceInformation";
        let mut online = BTreeSet::new();
        for together in ids.chunks(MOST_ASKED) {
            let values = together.iter().map(|id| id.as_str().to_owned()).collect();
            let filter = InstanceInformationStringFilter::builder()
                .key(InstanceInformationFilterKey::InstanceIds.as_str())
                .set_values(Some(values))
                .build()
                .map_err(|_| AwsError::incomplete(OPERATION, "a required field"))?;
            let mut pages = self
                .client
                .describe_instance_information()
                .filters(filter)
                .max_results(PAGE)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| AwsError::new(OPERATION, error))?;
                let reporting = page
                    .instance_information_list()
                    .iter()
                    .filter(|info| info.ping_status() == Some(&PingStatus::Online))
                    .filter_map(|info| info.instance_id()?.parse().ok());
                online.extend(reporting);
            }
        }
        Ok(online)
    }

    /// Sends a shell script (SendCommand) that may run for `run_seconds`; answers the command's id.
    /// Not idempotent: SSM takes no client token.
    pub async fn send(
        &self,
        id: &InstanceId,
        script: &str,
        run_seconds: u32,
        comment: &str,
    ) -> Result<String, AwsError> {
        const OPERATION: &str = "SendCommand";
        let answer = self
            .client
            .send_command()
            .document_name(DOCUMENT)
            .instance_ids(id.as_str())
            .comment(comment)
            .timeout_seconds(i32::try_from(DELIVERY_SECONDS).unwrap_or(30))
            .parameters("commands", vec![script.to_owned()])
            .parameters("executionTimeout", vec![run_seconds.to_string()])
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .command()
            .and_then(|command| command.command_id())
            .map(str::to_owned)
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a command id"))
    }

    /// How a command stands (GetCommandInvocation).
    pub async fn command(&self, id: &InstanceId, command: &str) -> Result<CommandState, AwsError> {
        let answer = self
            .client
            .get_command_invocation()
            .command_id(command)
            .instance_id(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("GetCommandInvocation", error));
        let answer = match answer {
            Ok(answer) => answer,
            // SSM shows an invocation some moments after it accepted the command.
            Err(error) if error.is("InvocationDoesNotExist") => {
                return Ok(CommandState::InProgress);
            }
            Err(error) => return Err(error),
        };
        let stdout = answer.standard_output_content().unwrap_or_default();
        // "Status details" tell a delivery time-out from an execution time-out; both are a lack of time.
        Ok(match answer.status() {
            Some(CommandInvocationStatus::Success | CommandInvocationStatus::Failed) => {
                CommandState::Ended {
                    response_code: Some(answer.response_code()),
                    stdout: stdout.to_owned(),
                    stderr: answer
                        .standard_error_content()
                        .unwrap_or_default()
                        .to_owned(),
                }
            }
            Some(CommandInvocationStatus::TimedOut) => CommandState::TimedOut {
                stdout: stdout.to_owned(),
            },
            Some(CommandInvocationStatus::Cancelled) => CommandState::Cancelled,
            _ => CommandState::InProgress,
        })
    }

    /// Asks SSM to cancel a command. One that is over, or that SSM does not know, counts as cancelled.
    pub async fn cancel(&self, id: &InstanceId, command: &str) -> Result<(), AwsError> {
        let answer = self
            .client
            .cancel_command()
            .command_id(command)
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("CancelCommand", error));
        match answer {
            Err(error) if error.is("InvalidCommandId") || error.is("InvalidInstanceId") => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }
}
