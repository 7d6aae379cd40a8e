//! What callers send.

use std::collections::BTreeSet;

use haulout_api::{Code, Problem};
use haulout_domain::{
    blob::Sha256Hex,
    identity::GroupName,
    package::{
        NewUpload, PackageName, PackageRef, PackageVersion, Part, UploadId, rule, upload::MAX_RULE,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What an upload is to become.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InitUpload {
    /// 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'.
    #[schema(example = "audience-classifier")]
    pub pkg_name: PackageName,
    /// A semantic version, or one such as v1 or v1.0; kept as written.
    #[schema(example = "1.0.0")]
    pub version: PackageVersion,
    /// In a few words; up to 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1_000)]
    pub description: Option<String>,
    /// Only for the owner and members of `allowed_groups`.
    #[serde(default)]
    pub is_sensitive: Option<bool>,
    /// Whose members may have it. Naming any makes it theirs alone.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GroupName>>)]
    pub allowed_groups: Option<BTreeSet<GroupName>>,
    /// The archive's size, up to 5 TB. With it the parts are checked against it; without it there is room for 80 GiB.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5_000_000_000_000_u64)]
    pub size_bytes: Option<u64>,
    /// The archive's SHA-256: 64 hexadecimal digits.
    #[serde(default)]
    pub sha256: Option<Sha256Hex>,
    /// A condition on who gets it, in CEL (cel.dev) over `pkg`, `user` and `request`; up to 4 KiB.
    #[serde(default)]
    #[schema(
        max_length = 4_096,
        format = "cel",
        example = "'research' in user.groups"
    )]
    pub rule: Option<String>,
}

impl InitUpload {
    /// As the domain knows it. The rule is read once, so that a wrong one is known before anything is uploaded.
    pub(crate) fn begin(self, owner: &str) -> Result<NewUpload, Problem> {
        let new = NewUpload {
            id: UploadId::generate(),
            package: PackageRef::new(self.pkg_name, self.version),
            owner: owner.to_owned(),
            description: self.description,
            is_sensitive: self.is_sensitive.unwrap_or_default(),
            allowed_groups: self.allowed_groups.unwrap_or_default(),
            size_bytes: self.size_bytes,
            sha256: self.sha256,
            rule: checked(self.rule)?,
        };
        new.check()
            .map_err(|error| crate::refusal::new_upload(&error))?;
        Ok(new)
    }
}

/// A rule that can be read, or none.
pub(crate) fn checked(rule: Option<String>) -> Result<Option<String>, Problem> {
    match rule.as_deref().map(rule::check) {
        Some(Err(error)) => Err(Problem::new(
            Code::InvalidBody,
            format!("Body, field `rule`: {error} (at most {MAX_RULE} bytes)."),
        )),
        _ => Ok(rule),
    }
}

/// Which part, and what it adds up to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PartQuery {
    /// 1 to 10,000.
    #[param(minimum = 1, maximum = 10_000)]
    pub(crate) part_number: u32,
    /// The part's CRC64NVME in base64, if the sender knows it: then S3 takes these bytes alone. It has to be sent as the
    /// answer's `headers` say.
    #[param(pattern = "^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$")]
    pub(crate) crc64nvme: Option<String>,
}

/// What an archive is put together from.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Each part once, in ascending order: its number, and the ETag that S3 answered to it.
    #[schema(min_items = 1, max_items = 10_000, example = json!([{"PartNumber": 1, "ETag": "\"9bb58f26192e4ba00f01e2e7b136bbd8\""}]))]
    pub parts: Vec<Part>,
}

/// An archive that somebody put into the bucket.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterPackage {
    /// The package; its archive is under `packages/{pkg_name}/{version}/`.
    #[schema(example = "audience-classifier")]
    pub pkg_name: PackageName,
    /// Which one of it.
    #[schema(example = "v1.0")]
    pub version: PackageVersion,
    /// In a few words; up to 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1_000)]
    pub description: Option<String>,
    /// Only for the owner and members of `allowed_groups`. It is so until somebody says false here: nobody knows who may
    /// have what another tool put into the bucket. Who says who may have it, here or by `allowed_groups`, owns it; from
    /// then on it stays as it is.
    #[serde(default)]
    pub is_sensitive: Option<bool>,
    /// Whose members may have it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GroupName>>)]
    pub allowed_groups: Option<BTreeSet<GroupName>>,
    /// A condition on who gets it, in CEL.
    #[serde(default)]
    #[schema(max_length = 4_096, format = "cel")]
    pub rule: Option<String>,
}

/// Whether somebody would get a package.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The package.
    #[schema(example = "audience-classifier")]
    pub pkg_name: PackageName,
    /// Which one of it.
    #[schema(example = "1.0.0")]
    pub version: PackageVersion,
    /// Whether this user would get it; the caller when not given. For somebody else the caller needs the role reader,
    /// operator or admin.
    #[serde(default)]
    #[schema(
        pattern = "^([A-Za-z0-9][A-Za-z0-9._@-]{0,63}|iam:(role|user):[A-Za-z0-9_+=,.@-]{1,64})$"
    )]
    pub user_id: Option<String>,
    /// As if the user were in these groups. Counts only from callers who may ask about others: everybody else is in the
    /// groups that an administrator said.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GroupName>>)]
    pub user_groups: Option<BTreeSet<GroupName>>,
}

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// `next_cursor` of the call before.
    #[serde(default)]
    pub cursor: Option<String>,
}
