//! Looking at an archive in the bucket: its directory, and its bytes where they are few.

use haulout_api::Problem;
use haulout_aws::objects::StoredObject;
use haulout_domain::{
    digest,
    package::{
        Inspection, ObjectFacts,
        archive::{Inspector, Refusal},
    },
};

use crate::Packages;

/// What came of looking at an archive.
#[derive(Debug)]
pub(crate) enum Looked {
    /// Nothing is wrong with it.
    Good(ObjectFacts, Inspection),
    /// It is nothing that may become a package. The text is fit for a caller.
    Bad(String),
    /// It is not there any more, or another one is.
    Changed,
}

impl Packages {
    /// Looks at an archive. Small ones are read whole, of others the directory at the end alone.
    pub(crate) async fn look(&self, key: &str, object: &StoredObject) -> Result<Looked, Problem> {
        let mut facts = ObjectFacts {
            size_bytes: object.size_bytes,
            crc64nvme: object.crc64nvme.clone(),
            sha256: None,
        };
        let mut whole = None;
        if object.size_bytes <= self.settings.hashed_bytes {
            let Some(bytes) = self.read(key, object, 0, object.size_bytes).await? else {
                return Ok(Looked::Changed);
            };
            facts.sha256 = digest::sha256_hex(&bytes).parse().ok();
            whole = Some(bytes);
        }
        let mut inspector = match Inspector::new(object.size_bytes) {
            Ok(inspector) => inspector,
            Err(refusal) => return Ok(bad(&refusal)),
        };
        loop {
            let wanted = inspector.wanted();
            let fed = if let Some(whole) = &whole {
                let begin = usize::try_from(wanted.offset).unwrap_or(usize::MAX);
                let end = usize::try_from(wanted.offset + wanted.len).unwrap_or(usize::MAX);
                inspector.feed(whole.get(begin..end).unwrap_or_default())
            } else {
                let bytes = self.read(key, object, wanted.offset, wanted.len).await?;
                let Some(bytes) = bytes else {
                    return Ok(Looked::Changed);
                };
                inspector.feed(&bytes)
            };
            match fed {
                Ok(None) => {}
                Ok(Some(inspection)) => return Ok(Looked::Good(facts, inspection)),
                Err(refusal) => return Ok(bad(&refusal)),
            }
        }
    }

    /// Exactly these bytes; nothing when the archive is not there any more, or another one is.
    async fn read(
        &self,
        key: &str,
        object: &StoredObject,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let bytes = self.objects.read(key, object, offset, length).await?;
        // Fewer than S3 said there are: the answer broke off.
        match bytes {
            Some(bytes) if bytes.len() as u64 != length => Err(Problem::unavailable(
                "The archive could not be read. Send the request again after the time in Retry-After.",
                2,
            )),
            bytes => Ok(bytes),
        }
    }
}

fn bad(refusal: &Refusal) -> Looked {
    Looked::Bad(refusal.to_string())
}
