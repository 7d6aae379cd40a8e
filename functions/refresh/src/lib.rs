//! The sweep behind everything else: once a minute, and when an execution of the state machine ends
//! badly, it takes every record whose work died on the way to its end, and ends what no record explains.
//! Running it twice at once is safe: every write is conditional on what was read, every call to AWS may be
//! repeated. The pool is looked after by one at a time.

mod act;
mod event;
mod pass;
mod pool;
mod report;
mod seen;
mod strays;

use haulout_aws::{
    clock::Clock, compute::Compute, emf::Metrics, groups::Groups, orders::Hands, store::Store,
    workflow::Workflow,
};

pub use event::{RefreshEvent, UnknownEvent};
pub use pool::{Pool, PoolDone, PoolError};
pub use report::{Report, SweepError};

/// What the sweep works with.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The records.
    pub store: Store,
    /// EC2's instances.
    pub compute: Compute,
    /// EC2's security groups.
    pub groups: Groups,
    /// Step Functions.
    pub workflow: Workflow,
    /// The most machines that an owner may have, where that is limited.
    pub quota: Option<u32>,
    /// The pool, where the deployment has one.
    pub pool: Option<Pool>,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}

impl Refresh {
    fn hands(&self) -> Hands {
        Hands {
            store: self.store.clone(),
            compute: self.compute.clone(),
            groups: self.groups.clone(),
            workflow: self.workflow.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }
}
