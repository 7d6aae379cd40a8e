//! AMIs: the newest one of a kind, and what is known of one.

use aws_sdk_ec2::types::{Filter, Image};
use haulout_domain::{
    aws_code::Meaning,
    image::{ImageFacts, ImageKind, NEWEST_FOR},
    launch::AmiId,
    status::Architecture,
};

use super::{Catalog, FACTS, Life, STALE_FOR};
use crate::error::AwsError;

/// The alias of the accounts whose images the newest one is chosen from.
const OWNER: &str = "amazon";

const NEWEST: Life = Life {
    fresh: NEWEST_FOR,
    usable: STALE_FOR,
    is_shared: true,
};

impl Catalog {
    /// The newest image of a kind: the one that AWS's public parameter names (SSM API, GetParameter), or else
    /// the one made last that is not deprecated (EC2 API, DescribeImages). A choice holds for a day; while AWS
    /// does not answer, for a week.
    pub async fn newest(
        &self,
        kind: ImageKind,
        architecture: Architecture,
    ) -> Result<AmiId, AwsError> {
        let key = format!("image#{}#{architecture}", kind.as_str());
        let question = Box::pin(self.ask_newest(kind, architecture));
        self.cache.get(&key, NEWEST, question).await
    }

    /// What is known of an image (EC2 API, DescribeImages), kept for a day. One that does not exist is the error
    /// `InvalidAMIID.NotFound`.
    pub async fn image(&self, id: &AmiId) -> Result<ImageFacts, AwsError> {
        let key = format!("ami#{id}");
        let question = Box::pin(self.ask_image(id));
        self.cache.get(&key, FACTS, question).await
    }

    async fn ask_newest(
        &self,
        kind: ImageKind,
        architecture: Architecture,
    ) -> Result<AmiId, AwsError> {
        let parameter = kind.parameter(architecture);
        let error = match self.ask_parameter(&parameter).await {
            Ok(id) => return Ok(id),
            // Whoever is too fast for one action should not take to another.
            Err(error) if error.meaning == Meaning::Throttled => return Err(error),
            Err(error) => error,
        };
        tracing::warn!(parameter, %error, "no image by its parameter; looking by name");
        match self.ask_newest_by_name(kind, architecture).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err(error),
            // Of two refusals the one that may pass counts.
            Err(other) if other.is_transient() => Err(other),
            Err(other) => {
                tracing::warn!(%other, "no image by its name either");
                Err(error)
            }
        }
    }

    async fn ask_parameter(&self, name: &str) -> Result<AmiId, AwsError> {
        const OPERATION: &str = "GetParameter";
        let answer = self
            .ssm
            .get_parameter()
            .name(name)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .parameter()
            .and_then(|parameter| parameter.value()?.parse().ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "an AMI id"))
    }

    async fn ask_newest_by_name(
        &self,
        kind: ImageKind,
        architecture: Architecture,
    ) -> Result<Option<AmiId>, AwsError> {
        let mut images = self
            .ec2
            .describe_images()
            .owners(OWNER)
            .include_deprecated(false)
            .filters(filter("name", kind.name_pattern()))
            .filters(filter("architecture", architecture.as_str()))
            .filters(filter("state", "available"))
            .into_paginator()
            .items()
            .send();
        // ISO 8601 in UTC: the order of the texts is that of the times.
        let mut newest: Option<(String, AmiId)> = None;
        while let Some(image) = images.next().await {
            let image = image.map_err(|error| AwsError::new("DescribeImages", error))?;
            let created = image.creation_date().unwrap_or_default().to_owned();
            if let Some(id) = image.image_id().and_then(|id| id.parse().ok())
                && newest.as_ref().is_none_or(|(latest, _)| *latest < created)
            {
                newest = Some((created, id));
            }
        }
        Ok(newest.map(|(_, id)| id))
    }

    async fn ask_image(&self, id: &AmiId) -> Result<ImageFacts, AwsError> {
        const OPERATION: &str = "DescribeImages";
        let answer = self
            .ec2
            .describe_images()
            .image_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .images()
            .first()
            .map(|image| facts(id, image))
            .ok_or_else(|| AwsError::incomplete(OPERATION, "the image"))
    }
}

fn facts(id: &AmiId, image: &Image) -> ImageFacts {
    let root_device = image.root_device_name();
    let root_gib = image
        .block_device_mappings()
        .iter()
        .find(|mapping| mapping.device_name().is_some() && mapping.device_name() == root_device)
        .and_then(|mapping| mapping.ebs()?.volume_size());
    ImageFacts {
        id: id.clone(),
        name: image.name().unwrap_or_default().to_owned(),
        architecture: image
            .architecture()
            .and_then(|architecture| architecture.as_str().parse().ok()),
        root_device: root_device.map(str::to_owned),
        root_gib: root_gib.and_then(|gib| u32::try_from(gib).ok()),
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}
