//! How the fields of a request go together, and what the deployment's settings add.

use std::{collections::BTreeSet, ops::RangeInclusive};

use haulout_domain::{
    launch::{Cidr, SecurityGroupId},
    machine::{LaunchSpec, MachineRequest},
    package::PackageRef,
    staging::{Archive, StagingSpec},
    status::{Market, OnFailure, VolumeType},
};

use crate::{CreateMachine, Settings};

/// Bounds of `command_timeout_seconds`; the state machine's own time-out lies above them.
const COMMAND_SECONDS: RangeInclusive<u32> = 30..=14_400;
/// Bounds of `ttl_minutes`: up to a year.
const TTL_MINUTES: RangeInclusive<u32> = 1..=525_600;
/// How many security groups a network interface may have (Amazon VPC quotas: 5 unless AWS raised it).
const MAX_GROUPS: usize = 5;

/// A request whose fields do not go together. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Two things to stage.
    #[error("blob_id and package are both given: a machine stages one of them")]
    BlobAndPackage,
    /// A checksum or size of a package.
    #[error(
        "sha256 and size_bytes are about a blob: the registry knows those of a package, leave them out"
    )]
    ChecksOfPackage,
    /// A checksum or size without a blob.
    #[error("{0} is about a blob: give blob_id with it, or leave it out")]
    WithoutBlob(&'static str),
    /// A size of nothing.
    #[error("size_bytes is 0: an empty blob cannot be staged")]
    EmptyBlob,
    /// A number out of its bounds.
    #[error("{field} is {value}: give {min} to {max}", min = allowed.start(), max = allowed.end())]
    OutOfBounds {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u32,
        /// What it may be.
        allowed: RangeInclusive<u32>,
    },
    /// A volume size that its type does not come in.
    #[error("storage_gb is {size}: a volume of type {volume_type} has {min} to {max} GiB", min = allowed.start(), max = allowed.end())]
    VolumeSize {
        /// What it is.
        size: u32,
        /// The type.
        volume_type: VolumeType,
        /// What it may be.
        allowed: RangeInclusive<u32>,
    },
    /// A volume type that needs more than a request can say.
    #[error(
        "volume_type {0} needs a number of IOPS: name a launch template that says it, or use gp3"
    )]
    NeedsIops(VolumeType),
    /// A fall-back from on-demand.
    #[error(
        "fallback_to_on_demand is for market spot: give \"market\": \"spot\" with it, or leave it out"
    )]
    FallbackWithoutSpot,
    /// More groups than an interface may have.
    #[error(
        "security_group_ids and create_security_group make {0} groups: an instance has at most {MAX_GROUPS}"
    )]
    TooManyGroups(usize),
    /// The same group again.
    #[error("security_group_ids names {0} twice: name it once")]
    GroupTwice(SecurityGroupId),
    /// Nobody is let in.
    #[error(
        "create_security_group.cidr is missing: give the CIDR block that may reach the machine, such as 203.0.113.7/32, or 0.0.0.0/0 for the whole internet"
    )]
    NoCidr,
}

impl CreateMachine {
    /// Completes the request with the deployment's settings. What depends on images and launch templates is
    /// checked later.
    pub fn complete(
        self,
        owner: &str,
        settings: &Settings,
    ) -> Result<MachineRequest, RequestError> {
        let rails = &settings.launch.guard_rails;
        let staging = self.staging()?;
        let mut deadlines = settings.deadlines;
        if let Some(seconds) = self.command_timeout_seconds {
            within("command_timeout_seconds", seconds, COMMAND_SECONDS)?;
            deadlines.command_seconds = seconds;
        }
        if let Some(minutes) = self.ttl_minutes {
            within("ttl_minutes", minutes, TTL_MINUTES)?;
        }
        let own_group_cidr = self.own_group_cidr()?;
        self.check_groups()?;
        let market = self.market.unwrap_or_default();
        let fallback_to_on_demand = self.fallback_to_on_demand.unwrap_or(false);
        if fallback_to_on_demand && market != Market::Spot {
            return Err(RequestError::FallbackWithoutSpot);
        }
        let launch_template_id = self
            .launch_template_id
            .clone()
            .or_else(|| settings.launch.launch_template_id.clone());
        self.check_volume(launch_template_id.is_some())?;
        Ok(MachineRequest {
            owner: owner.to_owned(),
            name: self.name,
            launch: LaunchSpec {
                launch_template_id,
                ami: self.ami,
                instance_type: self.instance_type,
                architecture: self.architecture,
                market,
                fallback_to_on_demand,
                storage_gb: self.storage_gb,
                volume_type: self.volume_type,
                subnet_id: self.subnet_id,
                security_group_ids: self.security_group_ids.unwrap_or_default(),
                own_group_cidr,
                key_name: self.key_name,
                user_data: self.user_data,
                tags: self.tags.unwrap_or_default(),
            },
            staging,
            on_failure: self.on_failure.unwrap_or(OnFailure::Terminate),
            keep_failed_minutes: settings.keep_failed_minutes,
            deadlines,
            wait_for_status_checks: self.wait_for_status_checks.unwrap_or(false),
            ttl_minutes: self.ttl_minutes.or(rails.max_ttl_minutes),
        })
    }

    fn staging(&self) -> Result<Option<StagingSpec>, RequestError> {
        if let Some(package) = self.package.clone() {
            return self.of_package(package).map(Some);
        }
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
            archive: Archive::Blob(blob),
            package_key: None,
            sha256: self.sha256.clone(),
            size_bytes: self.size_bytes,
        }))
    }

    /// What the registry knows of it is added when its caller may have it.
    fn of_package(&self, package: PackageRef) -> Result<StagingSpec, RequestError> {
        if self.blob_id.is_some() {
            return Err(RequestError::BlobAndPackage);
        }
        if self.sha256.is_some() || self.size_bytes.is_some() {
            return Err(RequestError::ChecksOfPackage);
        }
        Ok(StagingSpec {
            archive: Archive::Package(package),
            package_key: None,
            sha256: None,
            size_bytes: None,
        })
    }

    fn own_group_cidr(&self) -> Result<Option<Cidr>, RequestError> {
        match &self.create_security_group {
            Some(group) => group.cidr.map(Some).ok_or(RequestError::NoCidr),
            None => Ok(None),
        }
    }

    fn check_groups(&self) -> Result<(), RequestError> {
        let named = self.security_group_ids.as_deref().unwrap_or_default();
        let all = named.len() + usize::from(self.create_security_group.is_some());
        if all > MAX_GROUPS {
            return Err(RequestError::TooManyGroups(all));
        }
        let mut seen = BTreeSet::new();
        match named.iter().find(|group| !seen.insert(*group)) {
            Some(group) => Err(RequestError::GroupTwice(group.clone())),
            None => Ok(()),
        }
    }

    fn check_volume(&self, has_template: bool) -> Result<(), RequestError> {
        let volume_type = self.volume_type.unwrap_or(VolumeType::Gp3);
        if let Some(size) = self.storage_gb {
            let allowed = sizes(volume_type);
            if !allowed.contains(&size) {
                return Err(RequestError::VolumeSize {
                    size,
                    volume_type,
                    allowed,
                });
            }
        }
        if needs_iops(volume_type) && !has_template {
            return Err(RequestError::NeedsIops(volume_type));
        }
        Ok(())
    }
}

fn within(
    field: &'static str,
    value: u32,
    allowed: RangeInclusive<u32>,
) -> Result<(), RequestError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(RequestError::OutOfBounds {
        field,
        value,
        allowed,
    })
}

/// The sizes a volume type comes in, in GiB (EBS user guide, "Amazon EBS volume types"). Some types have become
/// larger than what is allowed here.
const fn sizes(volume_type: VolumeType) -> RangeInclusive<u32> {
    match volume_type {
        VolumeType::Gp3 | VolumeType::Gp2 => 1..=16_384,
        VolumeType::Io1 | VolumeType::Io2 => 4..=16_384,
        VolumeType::Standard => 1..=1_024,
    }
}

const fn needs_iops(volume_type: VolumeType) -> bool {
    matches!(volume_type, VolumeType::Io1 | VolumeType::Io2)
}
