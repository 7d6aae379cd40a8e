//! The sweep behind everything else: once a minute, and when an execution of the state machine ends
//! badly, it takes every record whose work died on the way to its end. Running it twice at once is safe:
//! every write is conditional on what was read, every call to AWS may be repeated.

mod event;
mod pass;

use haulout_aws::{clock::Clock, compute::Compute, emf::Metrics, store::Store, workflow::Workflow};

pub use event::{RefreshEvent, UnknownEvent};
pub use pass::{Report, SweepError};

/// What the sweep works with.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The records.
    pub store: Store,
    /// EC2.
    pub compute: Compute,
    /// Step Functions.
    pub workflow: Workflow,
    /// What time it is.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
}
