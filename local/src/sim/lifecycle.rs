//! How an instance's timeline is written: at launch, start, stop, termination, interruption and death.
//!
//! Each change plans what follows it (pending, then running); a later change cuts off what has not happened yet.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::after;
use super::config::SimConfig;
use super::instance::{Instance, Reason, State, Transition};

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

/// From stopped to running again.
pub(super) fn start(instance: &mut Instance, now: Timestamp, wall: Timestamp, config: &SimConfig) {
    plan(
        instance,
        transition(now, State::Pending, Some(plain("pending"))),
        transition(after(now, config.boot_delay), State::Running, None),
    );
    instance.boots += 1;
    instance.launch_time = wall;
}

/// From running to stopped.
pub(super) fn stop(instance: &mut Instance, now: Timestamp, config: &SimConfig) {
    let reason = user_initiated();
    plan(
        instance,
        transition(now, State::Stopping, Some(reason.clone())),
        transition(after(now, config.stop_delay), State::Stopped, Some(reason)),
    );
}

/// To terminated, on the caller's wish.
pub(super) fn terminate(instance: &mut Instance, now: Timestamp, config: &SimConfig) {
    end(instance, now, config, user_initiated());
}

/// The instance ends by itself at `at`: a failure of its host.
pub(super) fn die(instance: &mut Instance, at: Timestamp, config: &SimConfig) {
    end(instance, at, config, reason("Server.InternalError"));
}

/// A spot interruption: EC2 gives notice, then takes the instance.
pub(super) fn interrupt(instance: &mut Instance, now: Timestamp, config: &SimConfig) {
    instance.interrupted_at = Some(now);
    let reason = Reason {
        code: "Server.SpotInstanceTermination".into(),
        message: "Server.SpotInstanceTermination: Spot instance termination".into(),
    };
    end(
        instance,
        after(now, config.interruption_notice),
        config,
        reason,
    );
}

fn end(instance: &mut Instance, at: Timestamp, config: &SimConfig, reason: Reason) {
    plan(
        instance,
        transition(at, State::ShuttingDown, Some(reason.clone())),
        transition(
            after(at, config.terminate_delay),
            State::Terminated,
            Some(reason),
        ),
    );
}

/// Writes `first` and what follows it, in place of whatever was planned for later. What lies at the same instant stays:
/// on a manual clock a launch and its termination may share one.
fn plan(instance: &mut Instance, first: Transition, then: Transition) {
    instance.timeline.retain(|t| t.at <= first.at);
    instance.timeline.push(first);
    instance.timeline.push(then);
}

/// The reason with `code`, in the words EC2 has for it.
pub(super) fn reason(code: &str) -> Reason {
    let text = match code {
        "Client.VolumeLimitExceeded" => "Volume limit exceeded",
        "Client.InternalError" => "Client error on launch",
        "Server.InsufficientInstanceCapacity" => {
            "There is not enough capacity to launch the instance"
        }
        _ => "Internal error on launch",
    };
    Reason {
        code: code.into(),
        message: format!("{code}: {text}"),
    }
}

fn user_initiated() -> Reason {
    Reason {
        code: "Client.UserInitiatedShutdown".into(),
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
