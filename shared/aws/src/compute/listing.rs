//! All instances of a deployment, page by page.

use aws_sdk_ec2::{
    operation::describe_instances::{
        DescribeInstancesError, DescribeInstancesOutput, paginator::DescribeInstancesPaginator,
    },
    types::{Filter, Reservation},
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use haulout_domain::{
    ids::MachineId,
    machine::InstanceFacts,
    naming::{TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE},
};

use super::{
    Compute,
    facts::{facts, tag},
};
use crate::error::AwsError;

/// The tag that Auto Scaling puts on what it launches: the group's name.
const TAG_GROUP: &str = "aws:autoscaling:groupName";

/// An instance in a listing, and what its tags say.
#[derive(Debug, Clone)]
pub struct Listed {
    /// From the tag `haulout:machine`; nothing if it does not hold a machine id.
    pub machine: Option<MachineId>,
    /// From the tag `haulout:attempt`.
    pub attempt: Option<u32>,
    /// An Auto Scaling group has launched it.
    pub is_grouped: bool,
    /// The instance.
    pub facts: InstanceFacts,
}

type Pages = PaginationStream<
    Result<DescribeInstancesOutput, SdkError<DescribeInstancesError, HttpResponse>>,
>;

/// A listing under way.
#[derive(Debug)]
pub struct Listing {
    pages: Pages,
}

impl Listing {
    /// The next page, of up to 1,000 instances.
    pub async fn next(&mut self) -> Option<Result<Vec<Listed>, AwsError>> {
        let page = self.pages.next().await?;
        let page = page.map_err(|error| AwsError::new("DescribeInstances", error));
        Some(page.map(|page| listed(&page)))
    }
}

fn listed(page: &DescribeInstancesOutput) -> Vec<Listed> {
    page.reservations()
        .iter()
        .flat_map(Reservation::instances)
        .filter_map(|instance| {
            Some(Listed {
                machine: tag(instance, TAG_MACHINE).and_then(|id| id.parse().ok()),
                attempt: tag(instance, TAG_ATTEMPT).and_then(|attempt| attempt.parse().ok()),
                is_grouped: tag(instance, TAG_GROUP).is_some(),
                facts: facts(instance)?,
            })
        })
        .collect()
}

impl Compute {
    /// Every instance of this deployment, in all states.
    pub fn listing(&self) -> Listing {
        self.listing_of(None)
    }

    /// Every instance of an Auto Scaling group, in all states, whether the deployment's tag is on it or not.
    pub fn listing_of_group(&self, name: &str) -> Listing {
        self.listing_with(vec![tag_filter(TAG_GROUP, name)])
    }

    pub(super) fn listing_of(&self, with: Option<(&str, &str)>) -> Listing {
        let mut filters = vec![tag_filter(TAG_DEPLOYMENT, &self.deployment)];
        filters.extend(with.map(|(key, value)| tag_filter(key, value)));
        self.listing_with(filters)
    }

    fn listing_with(&self, filters: Vec<Filter>) -> Listing {
        let pages: DescribeInstancesPaginator = self
            .client
            .describe_instances()
            .set_filters(Some(filters))
            .max_results(1_000)
            .into_paginator();
        Listing {
            pages: pages.send(),
        }
    }
}

fn tag_filter(key: &str, value: &str) -> Filter {
    Filter::builder()
        .name(format!("tag:{key}"))
        .values(value)
        .build()
}
