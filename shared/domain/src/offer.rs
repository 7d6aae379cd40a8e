//! Where a machine can be launched: the places and markets to try, in order, and what EC2 refused so far.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    aws_code::FailOver,
    failure::{Failure, FailureCode},
    launch::{InstanceType, SubnetId},
    machine::LaunchSpec,
    plan::{Basis, LaunchDefaults, TemplateFacts},
    status::Market,
};

/// For how long everybody tries elsewhere first, after EC2 had no capacity somewhere.
pub const AVOIDED_FOR: SignedDuration = SignedDuration::from_mins(3);

/// The most launches a machine is tried with.
pub const MAX_ATTEMPTS: u32 = 20;

/// One place and market to launch in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offer {
    /// The market.
    pub market: Market,
    /// The type; nothing when a template names it in a way that only EC2 can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<InstanceType>,
    /// The subnet; the template's, or EC2's choice, when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<SubnetId>,
    /// The subnet's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance_type = self.instance_type.as_ref().map(InstanceType::as_str);
        write!(f, "{} {}", instance_type.unwrap_or("instance"), self.market)?;
        match (&self.zone, &self.subnet_id) {
            (Some(zone), _) => write!(f, " in {zone}"),
            (None, Some(subnet)) => write!(f, " in {subnet}"),
            (None, None) => Ok(()),
        }
    }
}

/// An offer that EC2 refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub offer: Offer,
    /// AWS's error code.
    pub code: String,
    /// Ours.
    pub failure: String,
    /// It refuses in this market everywhere.
    #[serde(default)]
    pub whole_market: bool,
    /// EC2 had launched an instance, and ended it for lack of room: it may be shutting down still.
    #[serde(default)]
    pub launched: bool,
    /// When.
    pub at: Timestamp,
}

impl Tried {
    /// A refused offer.
    pub fn new(
        offer: Offer,
        code: &str,
        fail_over: FailOver,
        failure: FailureCode,
        at: Timestamp,
    ) -> Self {
        let failure = match (failure, offer.market) {
            (FailureCode::InsufficientCapacity, Market::Spot) => FailureCode::SpotCapacity,
            (failure, _) => failure,
        };
        Self {
            offer,
            code: code.to_owned(),
            failure: failure.as_str().to_owned(),
            whole_market: fail_over == FailOver::OtherMarket,
            launched: false,
            at,
        }
    }

    /// EC2 refused it only after it had launched an instance.
    #[must_use]
    pub fn after_launch(mut self) -> Self {
        self.launched = true;
        self
    }

    fn excludes(&self, offer: &Offer) -> bool {
        self.offer == *offer || (self.whole_market && self.offer.market == offer.market)
    }
}

/// What is known of the places to launch in.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The zone of each subnet.
    pub zones: BTreeMap<SubnetId, String>,
    /// The spot price of a type in a zone, in US dollars an hour.
    pub spot_prices: BTreeMap<(InstanceType, String), f64>,
    /// Where EC2 just had no capacity for others.
    pub avoided: Vec<Offer>,
}

/// The offers to try, best first. Spot: the cheapest zone first; what has just been refused to others comes last.
pub fn offers(
    spec: &LaunchSpec,
    basis: &Basis,
    template: Option<&TemplateFacts>,
    defaults: &LaunchDefaults,
    places: &Places,
) -> Vec<Offer> {
    let mut markets = vec![spec.market];
    if spec.market == Market::Spot && spec.fallback_to_on_demand {
        markets.push(Market::OnDemand);
    }
    let types: Vec<Option<InstanceType>> = if basis.instance_types.is_empty() {
        vec![basis.known_type.clone()]
    } else {
        basis.instance_types.iter().cloned().map(Some).collect()
    };
    let subnets = subnets(spec, template, defaults);
    let mut offers = Vec::new();
    for market in markets {
        let from = offers.len();
        for instance_type in &types {
            let mut here: Vec<Offer> = subnets
                .iter()
                .map(|subnet| Offer {
                    market,
                    instance_type: instance_type.clone(),
                    subnet_id: subnet.clone(),
                    zone: subnet.as_ref().and_then(|id| places.zones.get(id).cloned()),
                })
                .collect();
            if market == Market::Spot {
                here.sort_by(|a, b| {
                    let price = |offer: &Offer| price(offer, places);
                    price(a).total_cmp(&price(b))
                });
            }
            offers.extend(here);
        }
        // Within the market: the caller's wish for spot outweighs a refusal minutes ago.
        offers[from..].sort_by_key(|offer| places.avoided.contains(offer));
    }
    offers
}

/// A zone without a price comes after those that have one.
fn price(offer: &Offer, places: &Places) -> f64 {
    let key = offer.instance_type.clone().zip(offer.zone.clone());
    key.and_then(|key| places.spot_prices.get(&key).copied())
        .unwrap_or(f64::INFINITY)
}

/// The subnets to try: the request's, or the deployment's unless the template has its own.
pub fn subnets(
    spec: &LaunchSpec,
    template: Option<&TemplateFacts>,
    defaults: &LaunchDefaults,
) -> Vec<Option<SubnetId>> {
    if let Some(subnet) = &spec.subnet_id {
        return vec![Some(subnet.clone())];
    }
    let is_settled =
        template.is_some_and(|template| template.has_interfaces || template.has_subnet);
    if is_settled || defaults.subnets.is_empty() {
        return vec![None];
    }
    defaults.subnets.iter().cloned().map(Some).collect()
}

/// The first offer that EC2 has not refused; or what to say when it refused them all.
pub fn next(offers: Vec<Offer>, tried: &[Tried]) -> Result<Offer, Failure> {
    offers
        .into_iter()
        .find(|offer| !tried.iter().any(|tried| tried.excludes(offer)))
        .ok_or_else(|| exhausted(tried))
}

/// Everything was refused: the last refusal's code, and the list.
fn exhausted(tried: &[Tried]) -> Failure {
    let code = tried
        .last()
        .and_then(|last| last.failure.parse().ok())
        .unwrap_or(FailureCode::InsufficientCapacity);
    let list: Vec<String> = tried
        .iter()
        .map(|tried| format!("{} ({})", tried.offer, tried.code))
        .collect();
    Failure::new(
        code,
        format!(
            "EC2 refused every place there is to try: {}",
            list.join(", ")
        ),
    )
}
