//! What callers are told. Absent values are null.

use std::collections::{BTreeMap, BTreeSet};

use haulout_aws::registry::{Download, DownloadStatus};
use haulout_domain::{
    blob::Sha256Hex,
    identity::GroupName,
    package::{
        ETag, Package, PackageName, PackageRef, PackageState, PackageVersion, Upload, UploadId,
        UploadStatus,
    },
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// An upload that begins.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = UploadStarted)]
pub struct Started {
    /// Names it in all that follows.
    #[schema(value_type = String, example = "u-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d")]
    pub upload_id: UploadId,
    /// Bytes in each part but the last, which may be smaller. Parts may be larger, and smaller down to 5 MiB.
    #[schema(example = 8_388_608)]
    pub part_size: u64,
    /// Until when it takes parts.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Where a part goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartUrl {
    /// PUT the part's bytes there, and keep the header ETag of the answer.
    pub url: String,
    /// Send these along, exactly so.
    pub headers: BTreeMap<String, String>,
    /// Until when the URL is good. Another one can be asked for.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A part that has arrived.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceivedPart {
    /// Its place.
    #[serde(rename = "PartNumber")]
    pub number: u32,
    /// What S3 answered to it.
    #[serde(rename = "ETag")]
    #[schema(value_type = String)]
    pub etag: ETag,
    /// Its size.
    pub size_bytes: u64,
}

/// An upload.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Upload)]
pub struct UploadView {
    /// Its id.
    #[schema(value_type = String)]
    pub upload_id: UploadId,
    /// What it is to become.
    #[schema(value_type = String)]
    pub pkg_name: PackageName,
    /// Which one of it.
    #[schema(value_type = String)]
    pub version: PackageVersion,
    /// `open`, `committing`, `committed`, `aborted` or `failed`.
    #[schema(example = "open")]
    pub status: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// Who began it.
    pub owner: String,
    /// The size that was announced.
    pub size_bytes: Option<u64>,
    /// Bytes in each part but the last.
    pub part_size: u64,
    /// Bytes that have arrived, while it is open.
    pub received_bytes: u64,
    /// Parts that have arrived, while it is open.
    pub parts: Vec<ReceivedPart>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when it takes parts.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl UploadView {
    pub(crate) fn new(upload: Upload, parts: Vec<ReceivedPart>) -> Self {
        let PackageRef { name, version } = upload.package;
        Self {
            upload_id: upload.id,
            pkg_name: name,
            version,
            status: upload.status.as_str().to_owned(),
            reason: match upload.status {
                UploadStatus::Failed { reason } => Some(reason),
                _ => None,
            },
            owner: upload.owner,
            size_bytes: upload.size_bytes,
            part_size: upload.part_size,
            received_bytes: parts.iter().map(|part| part.size_bytes).sum(),
            parts,
            created_at: upload.created_at,
            expires_at: upload.expires_at,
        }
    }
}

/// A package.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Package)]
pub struct PackageView {
    /// `name@version`: how machines name it.
    #[schema(value_type = String, example = "audience-classifier@1.0.0")]
    pub package: PackageRef,
    /// Its name.
    #[schema(value_type = String)]
    pub pkg_name: PackageName,
    /// Which one of that name.
    #[schema(value_type = String)]
    pub version: PackageVersion,
    /// In a few words.
    pub description: Option<String>,
    /// `missing`: its archive is gone. `unverified`: nobody looked into it yet.
    pub state: PackageState,
    /// Its archive's bytes.
    pub size_bytes: u64,
    /// Its archive's SHA-256: computed here up to 64 MiB, otherwise as it was announced.
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256Hex>,
    /// Its archive's CRC64NVME in base64, as S3 computed it.
    pub crc64nvme: Option<String>,
    /// Only for the owner and the groups.
    pub is_sensitive: bool,
    /// Whose members may have it.
    #[schema(value_type = Vec<String>)]
    pub allowed_groups: BTreeSet<GroupName>,
    /// The condition on who gets it.
    pub rule: Option<String>,
    /// Who brought it.
    pub owner: String,
    /// There is a `script.sh` that a machine can start.
    pub has_script: bool,
    /// A machine can stage it now: it is ready, has that script, and unpacks to no more than machines take (20 times the
    /// archive's size, 4 GiB always). Whatever is ready can be downloaded.
    pub can_be_staged: bool,
    /// Files and folders in it.
    pub entries: u64,
    /// Bytes it unpacks to.
    pub unpacked_bytes: u64,
    /// When it was committed, or found.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What brought it.
    #[schema(value_type = Option<String>)]
    pub upload_id: Option<UploadId>,
}

impl From<Package> for PackageView {
    fn from(package: Package) -> Self {
        Self {
            package: package.reference(),
            can_be_staged: package.can_be_staged(),
            pkg_name: package.name,
            version: package.version,
            description: package.description,
            state: package.state,
            size_bytes: package.size_bytes,
            sha256: package.sha256,
            crc64nvme: package.crc64nvme,
            is_sensitive: package.is_sensitive,
            allowed_groups: package.allowed_groups,
            rule: package.rule,
            owner: package.owner,
            has_script: package.has_script,
            entries: package.entries,
            unpacked_bytes: package.unpacked_bytes,
            created_at: package.created_at,
            upload_id: package.upload_id,
        }
    }
}

/// Some packages.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PackageList {
    /// Those that the caller may see, by name and version.
    pub packages: Vec<PackageView>,
    /// For the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// Answer to the end of an upload or a package.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PackageDeleted)]
pub struct Deleted {
    /// In words.
    pub message: &'static str,
    /// The package.
    #[schema(value_type = String)]
    pub package: PackageRef,
}

/// Where an archive is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DownloadLink)]
pub struct Link {
    /// GET it there, without a token.
    pub url: String,
    /// Until when a download may begin.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// How many bytes come.
    pub size_bytes: u64,
    /// What they add up to, where that is known.
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256Hex>,
}

/// Whether a user would get a package.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Validated {
    /// Whether.
    pub allowed: bool,
    /// Why, or why not.
    pub reason: String,
    /// What was looked at.
    pub validation_result: ValidationResult,
}

/// What a decision was made from.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ValidationResult {
    /// The package.
    #[schema(value_type = String)]
    pub package: PackageRef,
    /// The user.
    pub user_id: String,
    /// The user's groups.
    #[schema(value_type = Vec<String>)]
    pub user_groups: BTreeSet<GroupName>,
    /// Where the package stands.
    pub state: PackageState,
    /// Only for the owner and the groups.
    pub is_sensitive: bool,
    /// What its rule says: `none`, `passed`, `refused` or `failed`.
    #[schema(example = "passed")]
    pub rule: &'static str,
}

/// Who asked for a package.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Download)]
pub struct DownloadView {
    /// Which package.
    #[schema(value_type = String)]
    pub pkg_name: PackageName,
    /// Which one of it.
    #[schema(value_type = String)]
    pub version: PackageVersion,
    /// `allowed` or `blocked`.
    #[schema(value_type = String, example = "allowed")]
    pub status: DownloadStatus,
    /// Why.
    pub reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
}

impl From<Download> for DownloadView {
    fn from(download: Download) -> Self {
        Self {
            pkg_name: download.name,
            version: download.version,
            status: download.status,
            reason: download.reason,
            timestamp: download.at,
        }
    }
}

/// What a user asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DownloadHistory)]
pub struct HistoryView {
    /// Who.
    pub user_id: String,
    /// Newest first; kept for 400 days.
    pub downloads: Vec<DownloadView>,
    /// How many are on this page.
    pub count: usize,
    /// For the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// What a synchronization found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SyncReport {
    /// Uploads whose time was over, and which were given up.
    pub expired: u32,
    /// Uploads whose commit was cut off, and which are packages now.
    pub committed: u32,
    /// Uploads whose commit was cut off, and which failed.
    pub failed: u32,
    /// Packages whose archive is gone, since this call.
    pub missing: Vec<String>,
    /// Packages whose archive was looked into, and is good.
    pub verified: Vec<String>,
    /// Packages that were made of archives without a record: unverified, sensitive, and the caller's.
    pub found: Vec<String>,
    /// Archives of failed and aborted uploads, which were deleted.
    pub deleted: u32,
    /// What somebody should look at.
    pub problems: Vec<SyncProblem>,
    /// There is more to do: send it with another call. Null at the end.
    pub next_cursor: Option<String>,
}

/// Something that a synchronization leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SyncProblem {
    /// A key in the bucket, a package or an upload.
    pub what: String,
    /// What is the matter with it.
    pub problem: String,
}
