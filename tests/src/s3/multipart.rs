//! Multipart uploads (S3 API, CreateMultipartUpload to AbortMultipartUpload).

use std::collections::BTreeMap;

use super::{
    Object, PAGE, State, crc64nvme,
    rest::{Refusal, Reply, Request},
    tag,
};

/// Every part but the last has at least so many bytes.
const LEAST: usize = 5 << 20;
const MOST_PARTS: u32 = 10_000;

/// An upload on its way.
#[derive(Debug)]
pub(super) struct Multipart {
    key: String,
    has_checksum: bool,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    body: Vec<u8>,
    etag: String,
    crc64nvme: String,
}

const GONE: Refusal = Refusal::new(404, "NoSuchUpload");

impl State {
    pub(super) fn begin(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let algorithm = request.header("x-amz-checksum-algorithm");
        let kind = request.header("x-amz-checksum-type");
        match (algorithm, kind) {
            // CRC64NVME adds up over parts; of the others this bucket knows nothing.
            (None, None) | (Some("CRC64NVME"), None | Some("FULL_OBJECT")) => {}
            _ => return Err(Refusal::new(400, "InvalidRequest")),
        }
        self.begun += 1;
        let id = format!("upload-{}", self.begun);
        let key = request.key.clone();
        let reply = Reply::xml(&format!(
            "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
            request.bucket
        ));
        let upload = Multipart {
            key,
            has_checksum: algorithm.is_some(),
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id, upload);
        Ok(reply)
    }

    fn upload(&mut self, request: &Request) -> Result<&mut Multipart, Refusal> {
        let id = request.query("uploadId").unwrap_or_default();
        let upload = self.uploads.get_mut(id);
        upload.filter(|it| it.key == request.key).ok_or(GONE)
    }

    pub(super) fn put_part(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let number = request.query("partNumber").and_then(|it| it.parse().ok());
        let number = number
            .filter(|number| (1..=MOST_PARTS).contains(number))
            .ok_or(Refusal::new(400, "InvalidArgument"))?;
        let upload = self.upload(request)?;
        let crc = crc64nvme(&request.body);
        if request
            .header("x-amz-checksum-crc64nvme")
            .is_some_and(|given| given != crc)
        {
            return Err(Refusal::new(400, "BadDigest"));
        }
        let mut reply = Reply::empty(200);
        let etag = tag(&request.body);
        reply.header("etag", format!("\"{etag}\""));
        reply.header("x-amz-checksum-crc64nvme", crc.clone());
        let part = Part {
            body: request.body.clone(),
            etag,
            crc64nvme: crc,
        };
        upload.parts.insert(number, part);
        Ok(reply)
    }

    pub(super) fn list_parts(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let most = self.page.unwrap_or(PAGE);
        let marker = request.query("part-number-marker");
        let marker: u32 = marker.and_then(|it| it.parse().ok()).unwrap_or(0);
        let upload = self.upload(request)?;
        let rest: Vec<_> = upload.parts.range(marker + 1..).collect();
        let shown = &rest[..rest.len().min(most)];
        let next = shown.last().map_or(marker, |(number, _)| **number);
        let parts = shown
            .iter()
            .map(|(number, part)| {
                format!(
                    "<Part><PartNumber>{number}</PartNumber><LastModified>2026-11-20T19:00:00.000Z</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size><ChecksumCRC64NVME>{}</ChecksumCRC64NVME></Part>",
                    part.etag,
                    part.body.len(),
                    part.crc64nvme
                )
            })
            .collect::<Vec<_>>()
            .concat();
        Ok(Reply::xml(&format!(
            "<ListPartsResult><Key>{}</Key><PartNumberMarker>{marker}</PartNumberMarker><NextPartNumberMarker>{next}</NextPartNumberMarker><MaxParts>{most}</MaxParts><IsTruncated>{}</IsTruncated>{parts}</ListPartsResult>",
            request.key,
            rest.len() > shown.len()
        )))
    }

    pub(super) fn complete(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let upload = self.upload(request)?;
        let named = named(&String::from_utf8_lossy(&request.body));
        if named.is_empty() {
            return Err(Refusal::new(400, "MalformedXML"));
        }
        if !named.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Refusal::new(400, "InvalidPartOrder"));
        }
        let mut body = Vec::new();
        for (position, (number, etag)) in named.iter().enumerate() {
            let part = upload.parts.get(number);
            let part = part
                .filter(|part| part.etag == etag.trim_matches('"'))
                .ok_or(Refusal::new(400, "InvalidPart"))?;
            if position + 1 < named.len() && part.body.len() < LEAST {
                return Err(Refusal::new(400, "EntityTooSmall"));
            }
            body.extend_from_slice(&part.body);
        }
        let size = request.header("x-amz-mp-object-size");
        if size.is_some_and(|size| size != body.len().to_string()) {
            return Err(Refusal::new(400, "InvalidRequest"));
        }
        let crc = upload.has_checksum.then(|| crc64nvme(&body));
        let given = request.header("x-amz-checksum-crc64nvme");
        if given.is_some() && given != crc.as_deref() {
            return Err(Refusal::new(400, "BadDigest"));
        }
        let object = Object {
            etag: format!("{}-{}", tag(&body), named.len()),
            crc64nvme: crc.clone(),
            body,
        };
        let checksum = crc.map_or_else(String::new, |crc| {
            format!("<ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>")
        });
        let reply = Reply::xml(&format!(
            "<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><ETag>&quot;{}&quot;</ETag>{checksum}</CompleteMultipartUploadResult>",
            request.bucket, request.key, object.etag
        ));
        self.objects.insert(request.key.clone(), object);
        self.uploads
            .remove(request.query("uploadId").unwrap_or_default());
        Ok(reply)
    }

    pub(super) fn abort(&mut self, request: &Request) -> Result<Reply, Refusal> {
        self.upload(request)?;
        self.uploads
            .remove(request.query("uploadId").unwrap_or_default());
        Ok(Reply::empty(204))
    }
}

/// The parts that a CompleteMultipartUpload names.
fn named(xml: &str) -> Vec<(u32, String)> {
    let inner = |text: &str, name: &str| -> Option<String> {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.replace("&quot;", "\""))
    };
    xml.split("<Part>")
        .skip(1)
        .filter_map(|part| {
            let number = inner(part, "PartNumber")?.parse().ok()?;
            Some((number, inner(part, "ETag")?))
        })
        .collect()
}
