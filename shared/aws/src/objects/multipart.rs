//! Uploads in parts. S3 checks each part and the whole by CRC64NVME, which it computes itself where the sender gives
//! none. Source: Amazon S3 User Guide, "Checking object integrity"; S3 API, CreateMultipartUpload and its companions.

use aws_sdk_s3::{
    operation::abort_multipart_upload::AbortMultipartUploadError,
    types::{
        ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart,
        ServerSideEncryption,
    },
};
use haulout_domain::package::{ETag, Part};

use super::Objects;
use crate::error::AwsError;

/// The code for an upload that was completed or aborted, or never was.
const GONE: &str = "NoSuchUpload";
const CONTENT_TYPE: &str = "application/zip";

/// A part that S3 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its place.
    pub number: u32,
    /// Its tag.
    pub etag: ETag,
    /// Its size.
    pub size_bytes: u64,
}

/// How putting the parts together went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completed {
    /// There is an object now.
    Done,
    /// The upload is over: it was completed before, or aborted.
    Gone,
    /// S3 refuses the parts; its code and text.
    Refused {
        /// Such as `InvalidPart`, `EntityTooSmall`, `BadDigest`.
        code: String,
        /// In S3's words.
        text: String,
    },
}

impl Objects {
    /// Begins an upload and answers S3's id for it (S3 API, CreateMultipartUpload). The whole object's checksum is
    /// CRC64NVME; parts need not bring theirs.
    pub async fn begin(&self, key: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let mut request = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(CONTENT_TYPE)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject);
        if let Some(key_arn) = &self.key_arn {
            request = request
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(key_arn)
                .bucket_key_enabled(true);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .upload_id
            .ok_or_else(|| AwsError::incomplete(OPERATION, "UploadId"))
    }

    /// The parts that S3 has, by number (S3 API, ListParts); nothing when the upload is over.
    pub async fn parts(
        &self,
        key: &str,
        s3_upload_id: &str,
    ) -> Result<Option<Vec<StoredPart>>, AwsError> {
        const OPERATION: &str = "ListParts";
        let mut pages = self
            .client
            .list_parts()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(s3_upload_id)
            .into_paginator()
            .items()
            .send();
        let mut parts = Vec::new();
        while let Some(part) = pages.next().await {
            let part = match part.map_err(|error| AwsError::new(OPERATION, error)) {
                Ok(part) => part,
                Err(error) if error.is(GONE) => return Ok(None),
                Err(error) => return Err(error),
            };
            let read = || {
                Some(StoredPart {
                    number: part.part_number()?.try_into().ok()?,
                    etag: part.e_tag()?.parse().ok()?,
                    size_bytes: part.size()?.try_into().ok()?,
                })
            };
            parts.push(read().ok_or_else(|| AwsError::incomplete(OPERATION, "a part's fields"))?);
        }
        Ok(Some(parts))
    }

    /// Puts the parts together (S3 API, CompleteMultipartUpload), if the whole has this size where one is given. With a
    /// large object this takes S3 minutes: whoever gets no answer in time repeats it.
    pub async fn complete(
        &self,
        key: &str,
        s3_upload_id: &str,
        parts: &[Part],
        size_bytes: Option<u64>,
    ) -> Result<Completed, AwsError> {
        const OPERATION: &str = "CompleteMultipartUpload";
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(s3_upload_id)
            .multipart_upload(together(parts))
            .checksum_type(ChecksumType::FullObject)
            .set_mpu_object_size(size_bytes.and_then(|size| size.try_into().ok()))
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Completed::Done);
        };
        let text = error
            .as_service_error()
            .and_then(|it| it.meta().message())
            .unwrap_or("no message")
            .to_owned();
        let error = AwsError::new(OPERATION, error);
        match error.code.as_deref() {
            Some(GONE) => Ok(Completed::Gone),
            Some(code) if is_about_the_parts(code) => Ok(Completed::Refused {
                code: code.to_owned(),
                text,
            }),
            _ => Err(error),
        }
    }

    /// Ends an upload and deletes its parts (S3 API, AbortMultipartUpload). One that is over stays as it is.
    pub async fn abort(&self, key: &str, s3_upload_id: &str) -> Result<(), AwsError> {
        let answer = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(s3_upload_id)
            .send()
            .await;
        match answer {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(AbortMultipartUploadError::is_no_such_upload) =>
            {
                Err(AwsError::new("AbortMultipartUpload", error))
            }
            _ => Ok(()),
        }
    }
}

/// Codes by which S3 refuses what was uploaded, for good (S3 API, CompleteMultipartUpload: Errors; "Checking object
/// integrity" for the checksums).
fn is_about_the_parts(code: &str) -> bool {
    matches!(
        code,
        "InvalidPart"
            | "InvalidPartOrder"
            | "EntityTooSmall"
            | "EntityTooLarge"
            | "BadDigest"
            | "XAmzContentChecksumMismatch"
            | "InvalidRequest"
    )
}

fn together(parts: &[Part]) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|part| {
        CompletedPart::builder()
            .set_part_number(part.number.try_into().ok())
            .e_tag(part.etag.as_str())
            .build()
    });
    CompletedMultipartUpload::builder()
        .set_parts(Some(parts.collect()))
        .build()
}
