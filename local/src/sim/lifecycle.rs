//! How an instance's timeline is written: at launch, start, stop, termination, interruption and death.
//!
//! Each change plans what follows it (pending, then running); a later change cuts off what has not happened yet.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock::after;
use super::config::SimConfig;
use super::instance::{Before, Habits, Instance, Reason, State, Transition};

/// The reason of an end that a caller asked for.
pub(super) const USER_SHUTDOWN: &str = "Client.UserInitiatedShutdown";
/// The reason of a spot instance that EC2 took back.
pub(super) const SPOT_TERMINATION: &str = "Server.SpotInstanceTermination";

/// What happens between `pending` and `running`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// Running after this long.
    Runs(Duration),
    /// Pending for ever.
    Never,
    /// Terminated by EC2 after this long, with this reason.
    Dies(Duration, Reason),
}

/// The timeline of an instance launched at `now`.
pub(super) fn launched(now: Timestamp, boot: &Boot) -> Vec<Transition> {
    let mut timeline = vec![Transition {
        at: now,
        state: State::Pending,
        reason: Some(plain("pending")),
    }];
    match boot {
        Boot::Runs(delay) => timeline.push(transition(after(now, *delay), State::Running, None)),
        Boot::Never => {}
        Boot::Dies(delay, reason) => {
            timeline.push(transition(
                after(now, *delay),
                State::Terminated,
                Some(reason.clone()),
            ));
        }
    }
    timeline
}

/// From stopped to running again, or back to stopped when it dies on the way.
pub(super) fn start(
    instance: &mut Instance,
    boot: &Boot,
    habits: Habits,
    now: Timestamp,
    wall: Timestamp,
) {
    let was_registered = instance.ping(now).is_some();
    instance.before.push(Before {
        until: now,
        habits: instance.habits,
        was_registered: instance.was_registered,
    });
    instance.was_registered = was_registered;
    instance.habits = habits;
    let first = transition(now, State::Pending, Some(plain("pending")));
    let then = match boot {
        Boot::Runs(delay) => Some(transition(after(now, *delay), State::Running, None)),
        Boot::Never => None,
        Boot::Dies(delay, reason) => Some(transition(
            after(now, *delay),
            State::Stopped,
            Some(reason.clone()),
        )),
    };
    plan(instance, first, then);
    instance.boots += 1;
    instance.launch_time = wall;
}

/// From running to stopped, after `delay`; without one it never gets there.
pub(super) fn stop(instance: &mut Instance, delay: Option<Duration>, now: Timestamp) {
    let reason = user_initiated();
    let stopped =
        delay.map(|delay| transition(after(now, delay), State::Stopped, Some(reason.clone())));
    let stopping = transition(now, State::Stopping, Some(reason));
    plan(instance, stopping, stopped);
}

/// To terminated, on the caller's wish.
pub(super) fn terminate(instance: &mut Instance, now: Timestamp, config: &SimConfig) {
    end(instance, now, config, user_initiated());
}

/// The instance ends by itself at `at`: a failure of its host.
pub(super) fn die(instance: &mut Instance, at: Timestamp, config: &SimConfig) {
    end(instance, at, config, reason("Server.InternalError"));
}

/// Why EC2 takes a spot instance back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interruption {
    /// It needs the capacity.
    NoCapacity,
    /// The spot price rose above the most that was offered.
    Price,
}

/// A spot interruption: EC2 gives notice, then takes the instance.
pub(super) fn interrupt(
    instance: &mut Instance,
    because: Interruption,
    now: Timestamp,
    config: &SimConfig,
) {
    instance.interrupted_at = Some(now);
    instance.interrupted_because = Some(because);
    end(
        instance,
        after(now, config.interruption_notice),
        config,
        reason(SPOT_TERMINATION),
    );
}

fn end(instance: &mut Instance, at: Timestamp, config: &SimConfig, reason: Reason) {
    plan(
        instance,
        transition(at, State::ShuttingDown, Some(reason.clone())),
        Some(transition(
            after(at, config.terminate_delay),
            State::Terminated,
            Some(reason),
        )),
    );
}

/// Writes `first` and what follows it, in place of whatever was planned for later. What lies at the same instant stays:
/// on a manual clock a launch and its termination may share one.
fn plan(instance: &mut Instance, first: Transition, then: Option<Transition>) {
    instance.timeline.retain(|t| t.at <= first.at);
    instance.timeline.push(first);
    instance.timeline.extend(then);
}

/// The reason with `code`, in the words EC2 has for it.
pub(super) fn reason(code: &str) -> Reason {
    let text = match code {
        "Client.VolumeLimitExceeded" => "Volume limit exceeded",
        "Client.InternalError" => "Client error on launch",
        "Server.InsufficientInstanceCapacity" => {
            "There was insufficient capacity available to satisfy the launch request"
        }
        SPOT_TERMINATION => "Spot instance termination",
        _ => "Internal error on launch",
    };
    Reason {
        code: code.into(),
        message: format!("{code}: {text}"),
    }
}

fn user_initiated() -> Reason {
    Reason {
        code: USER_SHUTDOWN.into(),
        message: "Client.UserInitiatedShutdown: User initiated shutdown".into(),
    }
}

fn plain(word: &str) -> Reason {
    Reason {
        code: word.into(),
        message: word.into(),
    }
}

fn transition(at: Timestamp, state: State, reason: Option<Reason>) -> Transition {
    Transition { at, state, reason }
}
