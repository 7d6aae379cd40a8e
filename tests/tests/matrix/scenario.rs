//! The scenarios: what a caller does, and what happens at EC2, while something goes wrong.

/// What happens without faults. Where a scenario begins with a machine that is ready or stopped, nothing goes wrong
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// It becomes ready.
    Launch,
    /// Its staging command fails.
    Failing,
    /// Its staging command fails, and the instance is to be kept for a while.
    Kept,
    /// It has nothing to stage.
    Bare,
    /// It is deleted while its instance is being launched.
    DeletedEarly,
    /// It is deleted while the staging command runs.
    DeletedLate,
    /// It is deleted when it is ready.
    DeletedReady,
    /// It is the sweep that starts its execution.
    Unstarted,
    /// It is a spot instance.
    Spot,
    /// There is no spot capacity, and it may be launched on-demand.
    SpotToOnDemand,
    /// There is no spot capacity.
    SpotRefused,
    /// The first zone has no capacity, the second one has.
    FailOver,
    /// EC2 notices after the launch that the first zone has no capacity.
    FailOverLate,
    /// No zone has capacity.
    Exhausted,
    /// It gets a security group of its own.
    Group,
    /// It gets a security group of its own, and its staging command fails.
    GroupFailing,
    /// It is ready, has a security group of its own, and is deleted.
    GroupDeleted,
    /// It is ready, and stopped.
    Stop,
    /// The same, and EC2's events are lost.
    StopUnheard,
    /// It is stopped, and started; something is staged on it.
    StartStaged,
    /// It is stopped, and started; nothing is staged on it.
    StartBare,
    /// It is stopped, and EC2 has no capacity to start it.
    StartRefused,
    /// It is deleted while it stops.
    DeletedStopping,
    /// It is deleted when it is stopped.
    DeletedStopped,
    /// It is deleted while it is started.
    DeletedStarting,
    /// EC2 takes the spot instance back when it is ready.
    Interrupted,
    /// The same, and EC2's events are lost.
    InterruptedUnheard,
    /// EC2 takes the spot instance back before it is ready.
    InterruptedEarly,
    /// Its time is over.
    Expired,
    /// A stopped, a ready and a new machine are drained.
    Drained,
    /// Its record is gone: instance and security group are strays.
    Strays,
    /// Somebody terminates its instance in the EC2 console.
    TerminatedOutside,
    /// The same, and EC2's events are lost.
    TerminatedUnheard,
    /// Somebody stops its instance in the EC2 console.
    StoppedOutside,
    /// The same, and EC2's events are lost.
    StoppedUnheard,
    /// Somebody starts its stopped instance in the EC2 console.
    StartedOutside,
    /// The same, and EC2's events are lost.
    StartedUnheard,
    /// One machine is allowed. A second one is asked for too early, and again when the first one is deleted.
    Quota,
}

/// When a scenario is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All machines rest.
    Settled,
    /// All machines have ended.
    Closed,
    /// All machines are stopped, or have ended.
    Stopped,
    /// All machines were brought up again and rest, or have ended.
    Restarted,
    /// All machines have ended if the drain has begun; else they rest.
    Drained,
    /// Nothing is left at EC2.
    NothingLeft,
}

impl Scenario {
    pub(crate) const ALL: [Self; 38] = [
        Self::Launch,
        Self::Failing,
        Self::Kept,
        Self::Bare,
        Self::DeletedEarly,
        Self::DeletedLate,
        Self::DeletedReady,
        Self::Unstarted,
        Self::Spot,
        Self::SpotToOnDemand,
        Self::SpotRefused,
        Self::FailOver,
        Self::FailOverLate,
        Self::Exhausted,
        Self::Group,
        Self::GroupFailing,
        Self::GroupDeleted,
        Self::Stop,
        Self::StopUnheard,
        Self::StartStaged,
        Self::StartBare,
        Self::StartRefused,
        Self::DeletedStopping,
        Self::DeletedStopped,
        Self::DeletedStarting,
        Self::Interrupted,
        Self::InterruptedUnheard,
        Self::InterruptedEarly,
        Self::Expired,
        Self::Drained,
        Self::Strays,
        Self::TerminatedOutside,
        Self::TerminatedUnheard,
        Self::StoppedOutside,
        Self::StoppedUnheard,
        Self::StartedOutside,
        Self::StartedUnheard,
        Self::Quota,
    ];

    pub(crate) fn goal(self) -> Goal {
        match self {
            Self::Interrupted
            | Self::InterruptedUnheard
            | Self::Expired
            | Self::TerminatedOutside
            | Self::TerminatedUnheard => Goal::Closed,
            Self::StoppedOutside | Self::StoppedUnheard => Goal::Stopped,
            Self::StartedOutside | Self::StartedUnheard => Goal::Restarted,
            Self::Drained => Goal::Drained,
            Self::Strays => Goal::NothingLeft,
            _ => Goal::Settled,
        }
    }

    /// EC2's events, and those of executions that end badly, are lost.
    pub(super) fn is_unheard(self) -> bool {
        matches!(
            self,
            Self::StopUnheard
                | Self::InterruptedUnheard
                | Self::TerminatedUnheard
                | Self::StoppedUnheard
                | Self::StartedUnheard
        )
    }

    /// In it, the sweep has something to do.
    pub(crate) fn needs_sweep(self) -> bool {
        self.is_unheard()
            || matches!(
                self,
                Self::Kept | Self::Unstarted | Self::Expired | Self::Drained | Self::Strays
            )
    }

    /// What its machines fail with without any fault.
    pub(crate) fn own_errors(self) -> &'static [&'static str] {
        match self {
            Self::Failing | Self::Kept | Self::GroupFailing => &["not_a_zip"],
            Self::SpotRefused => &["spot_capacity_not_available"],
            Self::Exhausted | Self::StartRefused => &["insufficient_capacity"],
            Self::Interrupted | Self::InterruptedUnheard | Self::InterruptedEarly => {
                &["spot_interrupted"]
            }
            Self::TerminatedOutside | Self::TerminatedUnheard => &["instance_gone"],
            _ => &[],
        }
    }

    /// Its instance holds somebody's work, and nobody asked for its end.
    pub(crate) fn must_survive(self) -> bool {
        matches!(
            self,
            Self::Stop
                | Self::StopUnheard
                | Self::StartStaged
                | Self::StartBare
                | Self::StartRefused
                | Self::StoppedOutside
                | Self::StoppedUnheard
                | Self::StartedOutside
                | Self::StartedUnheard
        )
    }

    /// How many machines it makes.
    pub(crate) fn machines(self) -> usize {
        match self {
            Self::Drained | Self::Quota => 3,
            Self::Strays => 0,
            _ => 1,
        }
    }
}
