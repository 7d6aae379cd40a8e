//! S3: the bucket of packages. Archives come in parts, by URLs that are signed here ([`mod@multipart`], [`presign`]), and
//! are read here in ranges alone: no package passes through a function.

mod multipart;
mod presign;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    operation::{get_object::GetObjectError, head_object::HeadObjectError},
    types::ChecksumMode,
};
use haulout_domain::package::ETag;

pub use self::{
    multipart::{Completed, StoredPart},
    presign::Presigned,
};
use crate::error::AwsError;

/// The most objects on a page of a list (S3 API, ListObjectsV2).
const PAGE: i32 = 1_000;

/// The bucket of packages.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Client,
    bucket: String,
    key_arn: Option<String>,
}

/// An object as S3 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its size.
    pub size_bytes: u64,
    /// Its tag: another object under the same key has another one.
    pub etag: ETag,
    /// Its CRC64NVME over all bytes, in base64, where S3 has it.
    pub crc64nvme: Option<String>,
}

/// Some objects of a list.
#[derive(Debug, Clone, Default)]
pub struct ObjectPage {
    /// Their keys, in S3's order (of their UTF-8 bytes).
    pub keys: Vec<String>,
    /// There are more after the last of these.
    pub has_more: bool,
}

impl Objects {
    /// The bucket; what is put into it is encrypted with this KMS key, or as the bucket says.
    pub fn new(config: &SdkConfig, bucket: impl Into<String>, key_arn: Option<String>) -> Self {
        Self {
            client: Client::new(config),
            bucket: bucket.into(),
            key_arn,
        }
    }

    /// What is known of an object (S3 API, HeadObject); nothing when there is none. S3 says so only to whoever may
    /// list the bucket.
    pub async fn head(&self, key: &str) -> Result<Option<StoredObject>, AwsError> {
        const OPERATION: &str = "HeadObject";
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadObjectError::is_not_found) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(AwsError::new(OPERATION, error)),
        };
        let size_bytes = answer
            .content_length()
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "Content-Length"))?;
        let etag = answer
            .e_tag()
            .and_then(|etag| etag.parse().ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "ETag"))?;
        Ok(Some(StoredObject {
            size_bytes,
            etag,
            crc64nvme: answer.checksum_crc64_nvme().map(str::to_owned),
        }))
    }

    /// Bytes of an object as it was found (S3 API, GetObject with Range and If-Match); nothing when it is not
    /// there any more, or another one is. Fewer bytes come where the object ends.
    pub async fn read(
        &self,
        key: &str,
        object: &StoredObject,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, AwsError> {
        const OPERATION: &str = "GetObject";
        let end = offset.saturating_add(length).min(object.size_bytes);
        if end <= offset {
            return Ok(Some(Vec::new()));
        }
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .if_match(format!("\"{}\"", object.etag))
            .range(format!("bytes={offset}-{}", end - 1))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let is_gone = error
                    .as_service_error()
                    .is_some_and(GetObjectError::is_no_such_key);
                let error = AwsError::new(OPERATION, error);
                if is_gone || error.is("PreconditionFailed") {
                    return Ok(None);
                }
                return Err(error);
            }
        };
        let bytes = answer.body.collect().await.map_err(|error| {
            tracing::warn!(%error, key, "an object broke off");
            AwsError::incomplete(OPERATION, "the rest of its body")
        })?;
        Ok(Some(bytes.to_vec()))
    }

    /// Deletes an object, if it is there (S3 API, DeleteObject).
    pub async fn delete(&self, key: &str) -> Result<(), AwsError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteObject", error))?;
        Ok(())
    }

    /// One page of the keys that begin so, after the one named (S3 API, ListObjectsV2; at most a thousand).
    pub async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ObjectPage, AwsError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after.map(str::to_owned))
            .max_keys(PAGE)
            .send()
            .await
            .map_err(|error| AwsError::new("ListObjectsV2", error))?;
        let keys = answer.contents().iter();
        Ok(ObjectPage {
            keys: keys.filter_map(|it| it.key().map(str::to_owned)).collect(),
            has_more: answer.is_truncated().unwrap_or(false),
        })
    }
}
