//! What a pass did, or would do.

use haulout_aws::{error::AwsError, store::StoreError};
use serde::Serialize;

use crate::pool::{PoolDone, PoolError};

/// The most lines of a dry run's plan: the answer of a function is limited.
const MOST_LINES: usize = 1_000;

/// A pass that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// EC2 could not be listed: without that nothing is decided.
    #[error("the instances could not be listed")]
    Listing(#[source] AwsError),
    /// The records could not be read.
    #[error("the records could not be read")]
    Records(#[from] StoreError),
    /// Some machines could not be taken further; the next pass tries again.
    #[error("{failed} of {looked_at} machines could not be swept; the last one because {reason}")]
    Partly {
        /// How many.
        failed: u32,
        /// Of how many.
        looked_at: u32,
        /// Why, for the last one.
        reason: String,
    },
    /// The pool could not be looked after, or not in full; the next pass tries again.
    #[error("the pool could not be looked after")]
    Pool(#[from] PoolError),
    /// What no record explains could not be looked after; the next pass tries again.
    #[error("the strays could not be looked after, because {0}")]
    Strays(String),
}

/// What a pass did, or in a dry run would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records looked at.
    pub looked_at: u32,
    /// Executions started for machines that had none.
    pub resumed: u32,
    /// Instances of machines asked to end.
    pub terminated: u32,
    /// Instances asked to stop.
    pub stopped: u32,
    /// Machines' own security groups deleted.
    pub groups_deleted: u32,
    /// Records closed, because nothing of their machine exists any more.
    pub closed: u32,
    /// Records that came to count in their owner's quota.
    pub adopted: u32,
    /// Instances and security groups with the deployment's tag that no record explains.
    pub strays: u32,
    /// Of those, ended.
    pub reaped: u32,
    /// Of those, left to a later pass, because there were too many.
    pub capped: u32,
    /// What EC2 did not do this time, or was not asked to: left to the next pass.
    pub put_off: u32,
    /// The calls to EC2, pages counted one by one.
    pub ec2_calls: u32,
    /// What was done for the pool, where it was looked after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolDone>,
    /// Nothing was done.
    pub dry_run: bool,
    /// What a dry run would have done, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<String>,
}

impl Report {
    /// Notes what a dry run would do.
    pub(crate) fn would(&mut self, line: String) {
        if self.plan.len() < MOST_LINES {
            self.plan.push(line);
        }
    }
}
