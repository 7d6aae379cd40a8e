//! URLs by which others put parts and get objects, without any credentials of their own. Nothing is sent to make one.
//! They end with the credentials that signed them, if those end earlier.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use jiff::Timestamp;

use super::Objects;
use crate::error::AwsError;

/// S3 takes no longer ones (Signature Version 4: seven days).
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// A request that anybody may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presigned {
    /// Where.
    pub url: String,
    /// What must be sent along, exactly so; by name in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Objects {
    /// A PUT of one part (S3 API, UploadPart), good from now on for so long. With a checksum (CRC64NVME in base64), S3
    /// takes these bytes alone.
    pub async fn presign_part(
        &self,
        key: &str,
        s3_upload_id: &str,
        number: u32,
        crc64nvme: Option<String>,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<Presigned, AwsError> {
        let signed = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(s3_upload_id)
            .set_part_number(number.try_into().ok())
            .set_checksum_crc64_nvme(crc64nvme)
            .presigned(lasting(now, lasts)?)
            .await
            .map_err(|error| AwsError::new("UploadPart", error))?;
        Ok(read(&signed))
    }

    /// A GET of an object (S3 API, GetObject), good from now on for so long. A browser saves it under this name.
    pub async fn presign_get(
        &self,
        key: &str,
        file_name: &str,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<Presigned, AwsError> {
        let signed = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .response_content_disposition(format!("attachment; filename=\"{file_name}\""))
            .presigned(lasting(now, lasts)?)
            .await
            .map_err(|error| AwsError::new("GetObject", error))?;
        Ok(read(&signed))
    }
}

fn lasting(now: Timestamp, lasts: Duration) -> Result<PresigningConfig, AwsError> {
    PresigningConfig::builder()
        .start_time(now.into())
        .expires_in(lasts.min(LONGEST))
        .build()
        .map_err(|_| AwsError::incomplete("Presigning", "a duration that S3 takes"))
}

fn read(signed: &PresignedRequest) -> Presigned {
    let headers = signed.headers();
    Presigned {
        url: signed.uri().to_owned(),
        headers: headers
            // The client sends it in any case.
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
    }
}
