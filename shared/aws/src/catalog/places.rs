//! Where machines can be: subnets and their zones, and what spot instances cost there.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceType as Ec2Type, SpotPrice, Subnet};
use aws_smithy_types::DateTime;
use haulout_domain::launch::{InstanceType, SubnetId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Catalog, FACTS, Life};
use crate::error::AwsError;

/// The product that a spot price is for: the machines' operating system.
const PRODUCT: &str = "Linux/UNIX";

/// Prices move slowly, but they move.
const PRICES: Life = Life {
    fresh: SignedDuration::from_mins(5),
    usable: SignedDuration::from_mins(5),
    is_shared: true,
};

/// Where a subnet is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetFacts {
    /// Its availability zone.
    pub zone: String,
    /// Its VPC.
    pub vpc_id: String,
}

/// The price of a type in a zone, in US dollars an hour.
#[derive(Debug, Serialize, Deserialize)]
struct Price {
    instance_type: InstanceType,
    zone: String,
    usd: f64,
}

impl Catalog {
    /// Where these subnets are (EC2 API, DescribeSubnets), kept for a day. One that does not exist is the error
    /// `InvalidSubnetID.NotFound`.
    pub async fn subnets(
        &self,
        ids: &[SubnetId],
    ) -> Result<BTreeMap<SubnetId, SubnetFacts>, AwsError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = sorted(ids.iter().map(SubnetId::as_str));
        let key = format!("subnets#{}", names.join(","));
        let question = Box::pin(self.ask_subnets(&names));
        self.cache.get(&key, FACTS, question).await
    }

    /// What spot instances of these types cost in these zones (EC2 API, DescribeSpotPriceHistory), in US dollars
    /// an hour, as of five minutes ago at most. Prices only order the places to try: none are known, and a
    /// warning is logged, where EC2 does not tell them.
    pub async fn spot_prices(
        &self,
        types: &[InstanceType],
        zones: &[String],
    ) -> BTreeMap<(InstanceType, String), f64> {
        // Without a type, EC2 would tell the prices of all there are.
        if types.is_empty() || zones.is_empty() {
            return BTreeMap::new();
        }
        let names = sorted(types.iter().map(InstanceType::as_str));
        let key = format!("spot#{}", names.join(","));
        let question = Box::pin(self.ask_prices(&names));
        let prices = self.cache.get(&key, PRICES, question).await;
        prices
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "spot prices are not known");
                Vec::new()
            })
            .into_iter()
            .filter(|price| zones.contains(&price.zone))
            .map(|price| ((price.instance_type, price.zone), price.usd))
            .collect()
    }

    async fn ask_subnets(&self, ids: &[&str]) -> Result<BTreeMap<SubnetId, SubnetFacts>, AwsError> {
        let answer = self
            .ec2
            .describe_subnets()
            .set_subnet_ids(Some(ids.iter().map(|id| (*id).to_owned()).collect()))
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeSubnets", error))?;
        Ok(answer.subnets().iter().filter_map(subnet).collect())
    }

    /// The prices in force in all zones of the region.
    async fn ask_prices(&self, types: &[&str]) -> Result<Vec<Price>, AwsError> {
        let types = types.iter().map(|name| Ec2Type::from(*name)).collect();
        let now = DateTime::from_secs(self.clock.now().as_second());
        let mut history = self
            .ec2
            .describe_spot_price_history()
            .set_instance_types(Some(types))
            .product_descriptions(PRODUCT)
            // Answers what has been in force since then, whenever it was set.
            .start_time(now)
            .into_paginator()
            .items()
            .send();
        let mut newest: BTreeMap<(InstanceType, String), (Option<DateTime>, f64)> = BTreeMap::new();
        while let Some(entry) = history.next().await {
            let entry = entry.map_err(|error| AwsError::new("DescribeSpotPriceHistory", error))?;
            let Some((place, usd)) = price(&entry) else {
                continue;
            };
            let at = entry.timestamp().copied();
            if newest.get(&place).is_none_or(|(latest, _)| *latest < at) {
                newest.insert(place, (at, usd));
            }
        }
        Ok(newest
            .into_iter()
            .map(|((instance_type, zone), (_, usd))| Price {
                instance_type,
                zone,
                usd,
            })
            .collect())
    }
}

fn subnet(subnet: &Subnet) -> Option<(SubnetId, SubnetFacts)> {
    let facts = SubnetFacts {
        zone: subnet.availability_zone()?.to_owned(),
        vpc_id: subnet.vpc_id()?.to_owned(),
    };
    Some((subnet.subnet_id()?.parse().ok()?, facts))
}

fn price(entry: &SpotPrice) -> Option<((InstanceType, String), f64)> {
    let instance_type = entry.instance_type()?.as_str().parse().ok()?;
    let zone = entry.availability_zone()?.to_owned();
    let usd: f64 = entry.spot_price()?.parse().ok()?;
    Some(((instance_type, zone), usd))
}

/// The same key for the same set.
fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
