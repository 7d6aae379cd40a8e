//! How long to wait before looking again, and when to give up. Pure functions of phase and elapsed time:
//! little is added to a launch, and few state transitions are spent.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What the state machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The instance to run.
    Instance,
    /// The status checks of a running instance to pass.
    Checks,
    /// The SSM agent to report.
    Agent,
    /// The staging command to end.
    Command,
    /// EC2 to say that the instance is terminated.
    Termination,
}

impl Awaiting {
    /// Seconds before the first look: what AWS rarely beats.
    const fn first_wait(self) -> i64 {
        match self {
            Self::Instance => 8,
            // EC2 makes its checks once a minute, and needs more than one.
            Self::Checks => 30,
            Self::Agent => 10,
            Self::Command => 3,
            Self::Termination => 5,
        }
    }
}

/// The longest wait between two looks, in seconds.
const LONGEST_WAIT: i64 = 10;

/// Seconds to wait before the next look, `elapsed` after the phase began.
///
/// First until shortly before the usual end of the phase, then every second, then a tenth of what has
/// passed: a look is late by a second or by 10 %, whichever is more, and never by more than 10 s.
pub fn wait_seconds(awaiting: Awaiting, elapsed: SignedDuration) -> u32 {
    let elapsed = elapsed.as_secs().max(0);
    let wait = if elapsed < awaiting.first_wait() {
        awaiting.first_wait() - elapsed
    } else {
        (elapsed / 10).clamp(1, LONGEST_WAIT)
    };
    u32::try_from(wait).unwrap_or(1)
}

/// How long each phase of a machine may take, in seconds. Frozen in the record when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From the launch until the instance runs.
    pub running_seconds: u32,
    /// From running until the SSM agent reports.
    pub agent_seconds: u32,
    /// The run time of the staging command.
    pub command_seconds: u32,
    /// What EC2's status checks may take, on top of the time until running, where they are waited for.
    #[serde(default = "checks_seconds")]
    pub checks_seconds: u32,
}

const fn checks_seconds() -> u32 {
    300
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            running_seconds: 300,
            agent_seconds: 300,
            command_seconds: 150,
            checks_seconds: checks_seconds(),
        }
    }
}

/// What SSM may take to deliver a command, on top of its run time (SendCommand `TimeoutSeconds`, at least 30).
pub const DELIVERY_SECONDS: u32 = 30;

/// How long the state machine itself watches a termination before it leaves it to the sweeper.
pub const TERMINATION_SECONDS: u32 = 120;

/// Whether `seconds` have passed since `since`.
pub fn is_over(since: Timestamp, seconds: u32, now: Timestamp) -> bool {
    now.duration_since(since) >= SignedDuration::from_secs(i64::from(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Polls until `event` seconds have passed; answers (looks, seconds the last one came late).
    fn replay(awaiting: Awaiting, event: u32) -> (u32, u32) {
        let (mut at, mut looks) = (0, 0);
        while at < event {
            at += wait_seconds(awaiting, SignedDuration::from_secs(i64::from(at)));
            looks += 1;
        }
        (looks, at - event)
    }

    #[test]
    fn an_ordinary_launch_is_followed_closely_with_few_looks() {
        let (instance, late_instance) = replay(Awaiting::Instance, 12);
        let (agent, late_agent) = replay(Awaiting::Agent, 13);
        let (command, late_command) = replay(Awaiting::Command, 8);
        assert_eq!(late_instance + late_agent + late_command, 0);
        let (checks, late_checks) = replay(Awaiting::Checks, 150);
        assert_eq!((checks, late_checks), (20, 3), "every second it was 150");
        assert!((instance + agent + command) * 3 <= 51, "transitions");
    }

    proptest! {
        #[test]
        fn a_look_is_never_late_by_more_than_its_bound(event in 11_u32..3_600) {
            for awaiting in [Awaiting::Instance, Awaiting::Checks, Awaiting::Agent, Awaiting::Command] {
                let first = u32::try_from(awaiting.first_wait()).unwrap_or(0);
                let (_, late) = replay(awaiting, event.max(first));
                prop_assert!(late <= (event / 10).clamp(1, 10));
            }
        }

        #[test]
        fn every_wait_makes_progress(elapsed in -100_i64..100_000) {
            let wait = wait_seconds(Awaiting::Agent, SignedDuration::from_secs(elapsed));
            prop_assert!((1..=10).contains(&wait));
        }
    }
}
