//! The body of POST /instances: parsed into types that cannot hold nonsense, then completed with the
//! deployment's settings.

use haulout_domain::{
    blob::{BlobRef, Sha256Hex},
    launch::{AmiId, InstanceType, LaunchTemplateId, MachineName},
    machine::{LaunchSpec, MachineRequest, StagingSpec},
    status::OnFailure,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Settings;

/// Bounds of `command_timeout_seconds`; the state machine's own time-out lies above them.
const COMMAND_SECONDS: std::ops::RangeInclusive<u32> = 30..=14_400;

/// What machine to make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMachine {
    /// What to stage: a Walrus blob id (43 characters) or object id (0x and 64 hexadecimal digits).
    /// Without it the machine is bare: `ready` once its EC2 status checks pass.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "M4hsZGQ1oCktdzegB6HnI6Mi28S2nqOPHxK-W7_4BUk")]
    pub blob_id: Option<BlobRef>,
    /// The blob's SHA-256, 64 hexadecimal digits; checked on the machine.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256Hex>,
    /// The blob's size in bytes; checked on the machine.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub size_bytes: Option<u64>,
    /// The `Name` tag; `walrus-vm-YYYYMMDD-HHMMSS` when not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Option<MachineName>,
    /// An AMI, over what the launch template says.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ami-0123456789abcdef0")]
    pub ami: Option<AmiId>,
    /// An EC2 instance type, over what the launch template says.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "t3.medium")]
    pub instance_type: Option<InstanceType>,
    /// A launch template, in place of the deployment's.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "lt-0123456789abcdef0")]
    pub launch_template_id: Option<LaunchTemplateId>,
    /// How long the staging command may run, in seconds (30 to 14400); the deployment's default otherwise.
    #[serde(default)]
    #[schema(minimum = 30, maximum = 14400)]
    pub command_timeout_seconds: Option<u32>,
    /// What becomes of the instance when provisioning fails: `terminate` (default), or `keep` for a limited time.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
}

/// A request whose fields do not go together. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A checksum or size without a blob.
    #[error("{0} is about a blob: give blob_id with it, or leave it out")]
    WithoutBlob(&'static str),
    /// A size of nothing.
    #[error("size_bytes is 0: an empty blob cannot be staged")]
    EmptyBlob,
    /// A time limit out of bounds.
    #[error(
        "command_timeout_seconds is {0}: give {min} to {max}",
        min = COMMAND_SECONDS.start(),
        max = COMMAND_SECONDS.end()
    )]
    CommandTimeout(u32),
    /// Nothing to launch from.
    #[error(
        "there is nothing to launch from: give launch_template_id, or both ami and instance_type, or set the deployment's LaunchTemplateId parameter"
    )]
    NothingToLaunch,
}

impl CreateMachine {
    /// Completes the request with the deployment's settings.
    pub fn complete(
        self,
        owner: &str,
        settings: &Settings,
    ) -> Result<MachineRequest, RequestError> {
        let staging = self.staging()?;
        let mut deadlines = settings.deadlines;
        if let Some(seconds) = self.command_timeout_seconds {
            if !COMMAND_SECONDS.contains(&seconds) {
                return Err(RequestError::CommandTimeout(seconds));
            }
            deadlines.command_seconds = seconds;
        }
        let template = self
            .launch_template_id
            .or_else(|| settings.launch_template_id.clone());
        if template.is_none() && (self.ami.is_none() || self.instance_type.is_none()) {
            return Err(RequestError::NothingToLaunch);
        }
        Ok(MachineRequest {
            owner: owner.to_owned(),
            name: self.name,
            launch: LaunchSpec {
                launch_template_id: template,
                ami: self.ami,
                instance_type: self.instance_type,
            },
            staging,
            on_failure: self.on_failure.unwrap_or(OnFailure::Terminate),
            keep_failed_minutes: settings.keep_failed_minutes,
            deadlines,
        })
    }

    fn staging(&self) -> Result<Option<StagingSpec>, RequestError> {
        let Some(blob) = self.blob_id.clone() else {
            return match (&self.sha256, self.size_bytes) {
                (Some(_), _) => Err(RequestError::WithoutBlob("sha256")),
                (None, Some(_)) => Err(RequestError::WithoutBlob("size_bytes")),
                (None, None) => Ok(None),
            };
        };
        if self.size_bytes == Some(0) {
            return Err(RequestError::EmptyBlob);
        }
        Ok(Some(StagingSpec {
            blob,
            sha256: self.sha256.clone(),
            size_bytes: self.size_bytes,
        }))
    }
}
