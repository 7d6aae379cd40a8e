//! Where EC2 had no capacity: known to all launches for some minutes.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use haulout_domain::{
    launch::{InstanceType, SubnetId},
    offer::{AVOIDED_FOR, Offer},
};
use jiff::Timestamp;

use super::{Store, StoreError, control::holds, machines::Item, text};
use crate::error::AwsError;

/// The most keys of one BatchGetItem.
const MOST_KEYS: usize = 100;

impl Store {
    /// Notes that EC2 had no capacity for an offer.
    pub async fn avoid(&self, offer: &Offer, now: Timestamp) -> Result<(), StoreError> {
        let until = now.saturating_add(AVOIDED_FOR).unwrap_or(Timestamp::MAX);
        self.put_control(&key(offer), Item::new(), Some(until))
            .await
    }

    /// Those of the offers for which EC2 just had no capacity, in the same order.
    pub async fn avoided(
        &self,
        offers: &[Offer],
        now: Timestamp,
    ) -> Result<Vec<Offer>, StoreError> {
        let keys: BTreeSet<String> = offers.iter().map(key).collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let mut avoided = BTreeSet::new();
        for keys in keys.chunks(MOST_KEYS) {
            let items = self.control_items(keys).await?;
            let held = items.iter().filter(|item| holds(item, now));
            avoided.extend(held.filter_map(pk));
        }
        let is_avoided = |offer: &&Offer| avoided.contains(&key(offer));
        Ok(offers.iter().filter(is_avoided).cloned().collect())
    }

    /// Items of the `control` table. What DynamoDB leaves unread under load is left out: for a hint, it is not
    /// asked for again.
    async fn control_items(&self, keys: &[String]) -> Result<Vec<Item>, StoreError> {
        let mut wanted = KeysAndAttributes::builder();
        for pk in keys {
            wanted = wanted.keys(HashMap::from([("pk".to_owned(), text(pk))]));
        }
        let wanted = wanted
            .build()
            .map_err(|_| AwsError::incomplete("BatchGetItem", "a required field"))?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.control, wanted)
            .send()
            .await
            .map_err(|error| AwsError::new("BatchGetItem", error))?;
        let tables = answer.responses.unwrap_or_default();
        Ok(tables.into_values().flatten().collect())
    }
}

fn pk(item: &Item) -> Option<String> {
    match item.get("pk") {
        Some(AttributeValue::S(pk)) => Some(pk.clone()),
        _ => None,
    }
}

/// Capacity is a zone's: offers in two subnets of a zone have the same key.
fn key(offer: &Offer) -> String {
    let place = offer.zone.as_deref();
    let place = place.or(offer.subnet_id.as_ref().map(SubnetId::as_str));
    let instance_type = offer.instance_type.as_ref().map(InstanceType::as_str);
    format!(
        "nocapacity#{}#{}#{}",
        place.unwrap_or("any"),
        instance_type.unwrap_or("any"),
        offer.market
    )
}
