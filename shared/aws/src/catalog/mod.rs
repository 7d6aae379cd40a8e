//! What AWS knows that a launch needs: images, launch templates, subnets, spot prices. Kept for as long as it
//! holds, in this process and in the `control` table, so that a launch seldom has to ask.

mod cache;
mod images;
mod places;
mod template;

use aws_config::SdkConfig;
use jiff::SignedDuration;

use self::cache::{Cache, Life};
pub use self::places::SubnetFacts;
use crate::{clock::Clock, store::Store};

/// How long an old answer is used when AWS gives no new one.
const STALE_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What does not change: images by id, subnets.
const FACTS: Life = Life {
    fresh: SignedDuration::from_hours(24),
    usable: STALE_FOR,
    is_shared: true,
};

/// The catalog. Clones share what they have looked up.
#[derive(Debug, Clone)]
pub struct Catalog {
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    cache: Cache,
    clock: Clock,
}

impl Catalog {
    /// A catalog that shares what it looks up through this store.
    pub fn new(config: &SdkConfig, store: Store, clock: Clock) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            cache: Cache::new(store, clock.clone()),
            clock,
        }
    }
}
