//! Spot prices: the same for a zone and type in every simulator, unless set; and DescribeSpotPriceHistory.

use jiff::{SignedDuration, Timestamp};

use super::filters::Filters;
use super::paging::{numbered, page};
use super::query::Params;
use super::xml::Xml;
use super::{errors, types};
use crate::sim::answer::ApiError;
use crate::sim::ids;
use crate::sim::instance::Tags;
use crate::sim::limits::{Limits, Price, fits};
use crate::sim::state::Call;

/// The products whose prices are told: one price, under its old and its new name.
const PRODUCTS: [&str; 2] = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"];
/// How long before now the price in force was set.
const AGE: SignedDuration = SignedDuration::from_hours(3);
const FILTERS: [&str; 5] = [
    "availability-zone",
    "instance-type",
    "product-description",
    "spot-price",
    "timestamp",
];

/// The price in force.
pub(super) fn now(limits: &Limits, zone: &str, instance_type: &str) -> Price {
    let set = limits
        .spot_prices
        .iter()
        .rev()
        .find(|row| fits(&row.zone, zone) && fits(&row.instance_type, instance_type));
    set.map_or_else(|| usual(zone, instance_type), |row| row.price)
}

/// A quarter to a half of about what the type costs on demand.
fn usual(zone: &str, instance_type: &str) -> Price {
    /// Of a `large` of the smallest family, in millionths of a dollar an hour.
    const LARGE: u64 = 83_200;
    let (family, size) = instance_type.split_once('.').unwrap_or_default();
    let by_size = match size {
        "nano" => LARGE / 16,
        "micro" => LARGE / 8,
        "small" => LARGE / 4,
        "medium" => LARGE / 2,
        "large" => LARGE,
        "metal" => LARGE * 32,
        other => {
            let times = other.strip_suffix("xlarge").unwrap_or_default();
            LARGE * 2 * times.parse().unwrap_or(1)
        }
    };
    let percent = match family.chars().next() {
        Some('t') => 100,
        Some('g') => 600,
        Some('p') => 2_000,
        _ => 115,
    };
    let digest = ids::digest(&format!("{zone}/{instance_type}"));
    let share = 250 + u64::from_str_radix(&digest[..4], 16).unwrap_or(0) % 250;
    Price {
        micros: by_size * percent / 100 * share / 1_000,
    }
}

struct Row {
    zone: String,
    instance_type: String,
    product: &'static str,
    price: Price,
}

pub(super) fn describe_spot_price_history(
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    let filters = Filters::read(params, &FILTERS, false)?;
    for name in ["StartTime", "EndTime"] {
        params.parsed::<Timestamp>(name)?;
    }
    let end = params.parsed::<Timestamp>("EndTime")?;
    let set_at = call.wall.saturating_add(-AGE).unwrap_or(Timestamp::MIN);
    let wanted_types = params.list("InstanceType");
    if let Some(unknown) = wanted_types
        .iter()
        .find(|name| types::architecture(name).is_none())
    {
        return Err(errors::invalid(format!(
            "Invalid value '{unknown}' for InstanceType."
        )));
    }
    let products = params.list("ProductDescription");
    let zone = params.get("AvailabilityZone");
    let mut rows = Vec::new();
    for (instance_type, product, subnet) in types::all()
        .filter(|name| wanted_types.is_empty() || wanted_types.contains(name))
        .flat_map(|name| PRODUCTS.map(|product| (name.clone(), product)))
        .filter(|(_, product)| products.is_empty() || products.iter().any(|p| p == product))
        .flat_map(|(name, product)| {
            let subnets = call.config.subnets.iter();
            subnets.map(move |subnet| (name.clone(), product, subnet))
        })
    {
        if zone.is_none_or(|zone| zone == subnet.zone) {
            rows.push(Row {
                price: now(call.limits, &subnet.zone, &instance_type),
                zone: subnet.zone.clone(),
                instance_type,
                product,
            });
        }
    }
    rows.dedup_by(|a, b| {
        (&a.zone, &a.instance_type, a.product) == (&b.zone, &b.instance_type, b.product)
    });
    // The price at a start time later than its setting is the one that was in force then: there is just one.
    rows.retain(|row| end.is_none_or(|end| end >= set_at) && passes(&filters, row, set_at));
    let page = page(params, "spot-prices", numbered(rows))?;
    let mut xml = Xml::default();
    xml.list("spotPriceHistorySet", page.items, |xml, row| {
        xml.value("instanceType", row.instance_type);
        xml.value("productDescription", row.product);
        xml.value("spotPrice", row.price);
        xml.time("timestamp", set_at);
        xml.value("availabilityZone", row.zone);
    });
    // This action says "" where others say nothing.
    xml.value("nextToken", page.next_token.unwrap_or_default());
    Ok(xml)
}

fn passes(filters: &Filters, row: &Row, set_at: Timestamp) -> bool {
    filters.pass(&Tags::new(), |name| {
        vec![match name {
            "availability-zone" => row.zone.clone(),
            "instance-type" => row.instance_type.clone(),
            "product-description" => row.product.to_owned(),
            "spot-price" => row.price.to_string(),
            _ => set_at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        }]
    })
}
