//! Whether there is room for a launch or a start: capacity by zone, type and market, addresses, and the spot price.

use super::launch_spec::LaunchSpec;
use super::prices;
use super::subnets::addresses_left;
use crate::sim::answer::ApiError;
use crate::sim::config::Subnet;
use crate::sim::instance::{Instance, State};
use crate::sim::limits::{Capacity, Market, Price, fits};
use crate::sim::state::Call;

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) instance_type: &'a str,
    pub(super) market: Market,
    pub(super) max_price: Option<Price>,
    /// How many, at least and at most.
    pub(super) count: (u32, u32),
}

/// Why a subnet is no place.
enum Refusal {
    Price(Price),
    Addresses,
    Capacity,
}

/// The first of the subnets with room for the wish, and for how many; else what EC2 says.
pub(super) fn choose<'s>(
    call: &Call<'_>,
    spec: &LaunchSpec,
    wish: &Wish<'_>,
    subnets: &[&'s Subnet],
) -> Result<(&'s Subnet, u32), ApiError> {
    let mut refusals = Vec::new();
    for subnet in subnets {
        match room_in(call, wish, subnet) {
            Ok(count) => return Ok((subnet, count)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let prices: Vec<Price> = refusals
        .iter()
        .filter_map(|refusal| match refusal {
            Refusal::Price(price) => Some(*price),
            _ => None,
        })
        .collect();
    if let (Some(least), Some(offered)) = (prices.iter().min(), wish.max_price)
        && prices.len() == refusals.len()
    {
        return Err(price_too_low(offered, *least));
    }
    if let (Some(id), [Refusal::Addresses]) = (spec.subnet(), refusals.as_slice()) {
        return Err(ApiError::client(
            "InsufficientFreeAddressesInSubnet",
            format!(
                "There are not enough free addresses in subnet '{id}' to satisfy the requested number of instances."
            ),
        ));
    }
    let one_zone = subnets.first().filter(|_| subnets.len() == 1);
    Err(insufficient(call, wish, one_zone.map(|s| s.zone.as_str())))
}

fn room_in(call: &Call<'_>, wish: &Wish<'_>, subnet: &Subnet) -> Result<u32, Refusal> {
    let (min, max) = wish.count;
    if let Some(offered) = wish.max_price {
        let price = prices::now(call.limits, &subnet.zone, wish.instance_type);
        if wish.market == Market::Spot && offered < price {
            return Err(Refusal::Price(price));
        }
    }
    let addresses = addresses_left(call, subnet).unwrap_or(u32::MAX);
    if addresses < min {
        return Err(Refusal::Addresses);
    }
    let room = room(call, &subnet.zone, wish.instance_type, wish.market);
    if room < min {
        return Err(Refusal::Capacity);
    }
    Ok(room.min(addresses).min(max))
}

/// Refuses a start for which there is no capacity.
pub(super) fn check_start(call: &Call<'_>, instance: &Instance) -> Result<(), ApiError> {
    let instance_type = instance.spec.instance_type.as_deref().unwrap_or_default();
    let wish = Wish {
        instance_type,
        market: market(instance),
        max_price: None,
        count: (1, 1),
    };
    if room(call, &instance.zone, instance_type, wish.market) > 0 {
        return Ok(());
    }
    Err(insufficient(call, &wish, Some(&instance.zone)))
}

/// Refuses more spot instances than the account may have.
pub(super) fn check_spot_limit(call: &Call<'_>, wanted: u32) -> Result<(), ApiError> {
    let Some(limit) = call.limits.spot_instances else {
        return Ok(());
    };
    let mut instances = call.world.instances.values();
    let there = instances
        .by_ref()
        .filter(|i| i.is_spot() && !i.state(call.now).is_ending())
        .count();
    if u32::try_from(there)
        .unwrap_or(u32::MAX)
        .saturating_add(wanted)
        <= limit
    {
        return Ok(());
    }
    Err(ApiError::client(
        "MaxSpotInstanceCountExceeded",
        "Max spot instance count exceeded",
    ))
}

fn market(instance: &Instance) -> Market {
    if instance.is_spot() {
        Market::Spot
    } else {
        Market::OnDemand
    }
}

/// How many more instances of the type fit into the zone.
fn room(call: &Call<'_>, zone: &str, instance_type: &str, wanted: Market) -> u32 {
    let takes_room = |instance: &&Instance| {
        matches!(
            instance.state(call.now),
            State::Pending | State::Running | State::Stopping
        )
    };
    let left = |row: &Capacity| {
        let there = call
            .world
            .instances
            .values()
            .filter(takes_room)
            .filter(|i| {
                let its_type = i.spec.instance_type.as_deref().unwrap_or_default();
                fits(&row.zone, &i.zone)
                    && fits(&row.instance_type, its_type)
                    && row.market.is_none_or(|of| of == market(i))
            });
        row.limit
            .saturating_sub(u32::try_from(there.count()).unwrap_or(u32::MAX))
    };
    let rows = call.limits.capacity.iter().filter(|row| {
        fits(&row.zone, zone)
            && fits(&row.instance_type, instance_type)
            && row.market.is_none_or(|of| of == wanted)
    });
    rows.map(left).min().unwrap_or(u32::MAX)
}

fn price_too_low(offered: Price, least: Price) -> ApiError {
    let (offered, least) = (offered.to_string(), least.to_string());
    let short = |price: &str| price.trim_end_matches('0').trim_end_matches('.').to_owned();
    ApiError::client(
        "SpotMaxPriceTooLow",
        format!(
            "Your Spot request price of {} is lower than the minimum required Spot request fulfillment price of {}.",
            short(&offered),
            short(&least)
        ),
    )
}

/// EC2's words for no capacity, in the zone asked for or anywhere.
fn insufficient(call: &Call<'_>, wish: &Wish<'_>, zone: Option<&str>) -> ApiError {
    let kind = wish.instance_type;
    let message = match (wish.market, zone) {
        (Market::Spot, _) => {
            "There is no Spot capacity available that matches your request.".to_owned()
        }
        (Market::OnDemand, None) => format!(
            "We currently do not have sufficient {kind} capacity in zones with support for 'gp3' volumes. Our system \
             will be working on provisioning additional capacity."
        ),
        (Market::OnDemand, Some(zone)) => {
            let mut others: Vec<&str> = Vec::new();
            for subnet in &call.config.subnets {
                let has_room = room(call, &subnet.zone, kind, wish.market) >= wish.count.0;
                if subnet.zone != zone && has_room && !others.contains(&subnet.zone.as_str()) {
                    others.push(&subnet.zone);
                }
            }
            let elsewhere = match others.as_slice() {
                [] => String::new(),
                some => format!(
                    " You can currently get {kind} capacity by not specifying an Availability Zone in your request or \
                     choosing {}.",
                    some.join(", ")
                ),
            };
            format!(
                "We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). \
                 Our system will be working on provisioning additional capacity.{elsewhere}"
            )
        }
    };
    ApiError {
        code: "InsufficientInstanceCapacity".into(),
        message,
        // EC2 counts this among its server errors.
        status: 500,
    }
}
