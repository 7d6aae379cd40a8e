//! What can go wrong with a machine: stable codes, and for each what the user can do.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    staging::{StagingCode, StagingFailure},
    status::Status,
};

/// Declares the failure codes with the hint each carries.
macro_rules! failure_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $hint:literal;)*) => {
        /// A stable, machine-readable reason for a failure outside the staging command
        /// (those are [`StagingCode`]s).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureCode {
            $($(#[$doc])* $variant,)*
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as callers and the record see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the user can do about it.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }

        impl FromStr for FailureCode {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(()),
                }
            }
        }
    };
}

failure_codes! {
    /// The instance was not running in time.
    InstanceTimeout = "instance_timeout",
        "Try again; if it happens often, look at the instance in the EC2 console or raise RunningTimeoutSeconds.";
    /// The SSM agent did not register in time.
    AgentTimeout = "agent_timeout",
        "Check that the AMI has the SSM agent, that the instance profile carries AmazonSSMManagedInstanceCore, and that the subnet reaches the SSM endpoints.";
    /// The staging command did not end in time.
    CommandTimeout = "command_timeout",
        "Pass a larger command_timeout_seconds, or make the blob smaller.";
    /// The staging command was cancelled on the SSM side.
    CommandCancelled = "command_cancelled",
        "Somebody cancelled the SSM command; create the machine again.";
    /// The instance stopped or terminated while it was being provisioned.
    InstanceEnded = "instance_ended",
        "Look at the state reason in the message; a volume, key or capacity problem ends an instance right after its launch.";
    /// The instance of a ready machine is gone.
    InstanceGone = "instance_gone",
        "The instance was terminated outside Haulout; create the machine again.";
    /// EC2 has no capacity for this type in this zone.
    InsufficientCapacity = "insufficient_capacity",
        "Name another instance type or subnet, add SubnetIds or DefaultInstanceTypes to the deployment, or try again later.";
    /// EC2 has no spot capacity for this type in this zone.
    SpotCapacity = "spot_capacity_not_available",
        "Ask for market on-demand, set fallback_to_on_demand, or name another instance type or zone; spot capacity changes by the hour.";
    /// The spot price is above the most that was offered.
    SpotPrice = "spot_price_too_low",
        "The spot price is above the launch template's maximum: raise or remove MaxPrice there, set fallback_to_on_demand, or try later.";
    /// EC2 took a spot instance back.
    SpotInterrupted = "spot_interrupted",
        "EC2 took the spot instance back. Create the machine again, with another instance type or market on-demand if it happens often.";
    /// EC2 would not start the instance again.
    StartRefused = "start_refused",
        "The machine is stopped and its volumes are kept: start it again later, or create another one.";
    /// EC2 would not stop the instance.
    StopRefused = "stop_refused",
        "The machine goes on running: delete it, or look at the message for what EC2 wants.";
    /// A rule of the deployment.
    GuardRail = "guard_rail",
        "The deployment does not allow such a machine: the message names the value, the rule and what is allowed.";
    /// An account limit.
    LimitExceeded = "limit_exceeded",
        "End machines you no longer need, or ask AWS for a higher EC2 quota in Service Quotas.";
    /// The launch template is missing or unusable.
    LaunchTemplateInvalid = "launch_template_invalid",
        "Check launch_template_id, or the deployment's LaunchTemplateId parameter, in this region.";
    /// The AMI is missing, not shared with this account, or does not fit the type.
    AmiInvalid = "ami_invalid",
        "Check that the AMI exists in this region, is shared with this account and fits the instance type's architecture.";
    /// Subnet, VPC, address or network interface problem.
    NetworkInvalid = "network_invalid",
        "Check the subnet (the request's, the deployment's SubnetIds or the launch template's) and its free addresses.";
    /// Security group problem.
    SecurityGroupInvalid = "security_group_invalid",
        "Check the security groups, the request's or the launch template's; they must belong to the subnet's VPC.";
    /// Key pair problem.
    KeyPairInvalid = "key_pair_invalid",
        "Check that the key pair (key_name, the deployment's KeyName or the launch template's) exists in this region.";
    /// AWS refused a parameter.
    ParameterInvalid = "parameter_invalid",
        "AWS refused a launch parameter; the message names it.";
    /// AWS said no.
    PermissionDenied = "permission_denied",
        "The function's role lacks a permission: the message names the action. Deploy the current template, or check the account's service control policies and the template's instance profile (iam:PassRole).";
    /// AWS throttled us beyond all retries.
    AwsThrottled = "aws_throttled",
        "Too many requests to AWS at once; try again in a few minutes.";
    /// AWS failed, or did not answer, beyond all retries.
    AwsUnavailable = "aws_unavailable",
        "AWS did not answer as it should; try again later and look at the AWS Health Dashboard.";
    /// The record kept changing under a step.
    RecordConflict = "record_conflict",
        "Other requests kept changing this machine; try again.";
    /// The pool's package is not for its machines.
    PoolPackageRefused = "pool_package_refused",
        "Set the deployment's PoolPackage to a package that is ready, has model/script.sh and is open to every user; the message says what this one lacks.";
    /// A step of the state machine was cut off again and again.
    StepFailed = "step_failed",
        "A provisioning step was cut off repeatedly; look at the provision function's log for this machine id.";
    /// Executions of the state machine kept dying.
    ExecutionLost = "execution_lost",
        "The state machine's executions ended without a result; look at them in the Step Functions console.";
    /// An AWS error this table does not know.
    AwsError = "aws_error",
        "AWS answered with an error; the message carries its text and request id.";
}

/// A failure on its way to the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A [`FailureCode`] or a [`StagingCode`], as text.
    pub code: Cow<'static, str>,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// A failure with a code of this table.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code.as_str()),
            message: message.into(),
        }
    }

    /// Rebuilds a failure from what Step Functions hands to a `Catch`: the error's name, and its cause,
    /// which for a Lambda is the runtime's `{"errorType", "errorMessage"}`.
    pub fn from_caught(error: &str, cause: &str) -> Self {
        #[derive(Deserialize)]
        struct LambdaCause {
            #[serde(rename = "errorMessage")]
            message: String,
        }
        let message = serde_json::from_str::<LambdaCause>(cause)
            .map_or_else(|_| cause.to_owned(), |cause| cause.message);
        let final_code = match error {
            "Throttled" => Some(FailureCode::AwsThrottled),
            "Unavailable" => Some(FailureCode::AwsUnavailable),
            "Conflict" => Some(FailureCode::RecordConflict),
            _ => None,
        };
        if let Some(code) = final_code {
            return Self::new(code, message);
        }
        if hint(error).is_some() {
            return Self {
                code: Cow::Owned(error.to_owned()),
                message,
            };
        }
        let text = if message.is_empty() {
            format!("a provisioning step was cut off ({error})")
        } else {
            format!("a provisioning step was cut off ({error}): {message}")
        };
        Self::new(FailureCode::StepFailed, text)
    }

    /// The record's form, with the hint and the phase it happened in.
    pub fn in_phase(self, phase: Status) -> MachineError {
        MachineError {
            hint: hint(&self.code).unwrap_or_default().to_owned(),
            code: self.code.into_owned(),
            message: self.message,
            phase,
        }
    }
}

impl From<StagingFailure> for Failure {
    fn from(failure: StagingFailure) -> Self {
        Self {
            code: Cow::Borrowed(failure.code.as_str()),
            message: failure.message,
        }
    }
}

/// The hint of a failure code, if it is one.
fn hint(code: &str) -> Option<&'static str> {
    code.parse()
        .map(FailureCode::hint)
        .ok()
        .or_else(|| code.parse().map(StagingCode::hint).ok())
}

/// The code itself, if it is one of the closed set: fit for a metric's dimension.
pub fn known_code(code: &str) -> Option<&'static str> {
    code.parse()
        .map(FailureCode::as_str)
        .ok()
        .or_else(|| code.parse().map(StagingCode::as_str).ok())
}

/// Why a machine failed, as its record and callers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MachineError {
    /// Stable, machine-readable reason.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What can be done about it.
    pub hint: String,
    /// The status the machine was in when it happened.
    pub phase: Status,
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} while {}: {}", self.code, self.phase, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_hint_and_reads_back() {
        for code in FailureCode::ALL {
            assert!(code.hint().len() > 20, "{code:?}");
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
    }

    #[test]
    fn a_caught_error_of_ours_keeps_its_code() {
        let caught = Failure::from_caught(
            "agent_timeout",
            r#"{"errorType":"agent_timeout","errorMessage":"no agent after 300 s"}"#,
        );
        assert_eq!(caught.code, "agent_timeout");
        assert_eq!(caught.message, "no agent after 300 s");
        let error = caught.in_phase(Status::WaitingForSsm);
        assert!(error.hint.contains("AmazonSSMManagedInstanceCore"));
    }

    #[test]
    fn anything_else_caught_is_a_cut_off_step() {
        let caught = Failure::from_caught("Sandbox.Timedout", "");
        assert_eq!(caught.code, "step_failed");
        assert!(caught.message.contains("Sandbox.Timedout"));
    }
}
