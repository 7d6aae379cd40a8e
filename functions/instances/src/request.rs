//! The body of POST /instances: parsed into types that cannot hold nonsense. How the fields go together is in
//! [`crate::complete`].

use haulout_domain::{
    blob::{BlobRef, Sha256Hex},
    launch::{
        AmiId, Cidr, FormError, InstanceType, KeyName, LaunchTemplateId, MachineName,
        SecurityGroupId, SubnetId, TagKey, TagValue, Tags, UserData,
    },
    package::PackageRef,
    status::{Architecture, Market, OnFailure, VolumeType},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::ToSchema;

/// What machine to make. Every field may be left out, or null.
///
/// What a field does not settle, the launch template does (`launch_template_id`, or the deployment's), and then the
/// deployment's defaults: the newest Amazon Linux 2023 for the architecture (for GPU types the deep-learning AMI),
/// t3.medium or t4g.medium, an encrypted gp3 root volume of 20 GiB.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMachine {
    /// What to stage: a Walrus blob id (43 characters) or object id (0x and 64 hexadecimal digits).
    /// Without it the machine is bare: `ready` once its EC2 status checks pass.
    #[serde(default)]
    #[schema(example = "M4hsZGQ1oCktdzegB6HnI6Mi28S2nqOPHxK-W7_4BUk")]
    pub blob_id: Option<BlobRef>,
    /// What to stage instead: a package of the registry, as `name@version`. Its size and checksum are the registry's.
    // Left out where it is not given: the fingerprints of requests made before there was this field stay the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "audience-classifier@v1.0")]
    pub package: Option<PackageRef>,
    /// The blob's SHA-256, 64 hexadecimal digits; checked on the machine.
    #[serde(default)]
    pub sha256: Option<Sha256Hex>,
    /// The blob's size in bytes; checked on the machine.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub size_bytes: Option<u64>,
    /// The `Name` tag; `walrus-vm-YYYYMMDD-HHMMSS` when not given.
    #[serde(default)]
    pub name: Option<MachineName>,
    /// An AMI, over what the launch template says. Its architecture must be the instance type's.
    #[serde(default)]
    #[schema(example = "ami-0123456789abcdef0")]
    pub ami: Option<AmiId>,
    /// An EC2 instance type, over what the launch template says.
    #[serde(default)]
    #[schema(example = "t3.medium")]
    pub instance_type: Option<InstanceType>,
    /// A launch template, in place of the deployment's.
    #[serde(default)]
    #[schema(example = "lt-0123456789abcdef0")]
    pub launch_template_id: Option<LaunchTemplateId>,
    /// How long the staging command may run, in seconds (30 to 14400); the deployment's default otherwise.
    #[serde(default)]
    #[schema(minimum = 30, maximum = 14400)]
    pub command_timeout_seconds: Option<u32>,
    /// What becomes of the instance when provisioning fails: `terminate` (default), or `keep` for a limited time.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    // A request that names none of what follows keeps the fingerprint it had before these fields were known.
    /// Chooses AMI and instance type where nothing names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// `on-demand` (default) or `spot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Market>,
    /// Launch on-demand when EC2 has no spot capacity anywhere; with market `spot` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_to_on_demand: Option<bool>,
    /// The root volume's size in GiB; 20 without a launch template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16384)]
    pub storage_gb: Option<u32>,
    /// The root volume's type; gp3 without a launch template. io1 and io2 need a template that says how many IOPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<VolumeType>,
    /// Wait for EC2's status checks before staging. Bare machines always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_status_checks: Option<bool>,
    /// The subnet; otherwise the launch template's, one of the deployment's, or EC2's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "subnet-0123456789abcdef0")]
    pub subnet_id: Option<SubnetId>,
    /// Up to 5 security groups, in place of the launch template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 5)]
    pub security_group_ids: Option<Vec<SecurityGroupId>>,
    /// A security group of the machine's own, for SSH, HTTP and HTTPS. It goes with the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_security_group: Option<CreateSecurityGroup>,
    /// The key pair to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<KeyName>,
    /// What cloud-init reads at the first boot, as plain text: up to 12288 bytes. Anybody on the machine can read it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "plain_text"
    )]
    #[schema(value_type = Option<String>, max_length = 12288, example = "#!/bin/sh\necho hello")]
    pub user_data: Option<UserData>,
    /// Up to 45 tags for instance, volumes and spot request. `aws:`, `haulout:`, `Name` and `ManagedBy` are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<TagKey, TagValue>>)]
    pub tags: Option<Tags>,
    /// After how many minutes Haulout ends the machine; never by itself, or after the deployment's maximum, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 525_600)]
    pub ttl_minutes: Option<u32>,
}

/// A security group of the machine's own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSecurityGroup {
    /// Who may reach ports 22, 80 and 443: a CIDR block. `0.0.0.0/0` is the whole internet.
    #[serde(default)]
    #[schema(value_type = String, required, example = "203.0.113.7/32")]
    pub cidr: Option<Cidr>,
}

fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserData>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| UserData::encode(&text))
        .transpose()
        .map_err(|error: FormError| D::Error::custom(error))
}
