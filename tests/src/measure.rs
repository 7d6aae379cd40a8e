//! What a clean launch costs: the same run for tests and for the benchmark.

use std::{collections::BTreeMap, time::Duration};

use haulout_domain::status::Status;

use crate::{
    settings::{Settings, staged},
    world::{World, usual_request},
};

/// How long the machine itself takes in each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// From the launch until it runs.
    pub boot: Duration,
    /// From running until its agent registers.
    pub registration: Duration,
    /// The run time of the staging command.
    pub command: Duration,
}

impl Trace {
    /// A usual machine.
    pub const USUAL: Self = Self {
        boot: Duration::from_secs(12),
        registration: Duration::from_secs(13),
        command: Duration::from_secs(8),
    };

    /// What no control plane could save.
    pub fn total(self) -> Duration {
        self.boot + self.registration + self.command
    }
}

/// What a launch cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// From the request to ready, in seconds.
    pub seconds_to_ready: f64,
    /// Seconds beyond the trace.
    pub lag_seconds: f64,
    /// State transitions, as Step Functions bills them.
    pub transitions: u32,
    /// Invocations of Lambda functions, the sweep's excepted.
    pub invocations: usize,
    /// AWS calls by action, the sweep's excepted.
    pub calls: BTreeMap<String, u32>,
}

impl Cost {
    /// AWS calls in all.
    pub fn call_count(&self) -> u32 {
        self.calls.values().sum()
    }
}

/// Replays a trace; nothing if the machine was not ready within an hour.
pub async fn launch(trace: Trace) -> Option<Cost> {
    let mut settings = Settings::staging(move |_| staged(trace.command));
    settings.sim.boot_delay = trace.boot;
    settings.sim.registration_delay = trace.registration;
    let world = World::start(settings).await;
    let id = world.create(&usual_request()).await?;
    if !world.settle(Duration::from_hours(1)).await {
        return None;
    }
    let machine = world.machine(&id).await;
    let ready = machine
        .timeline
        .iter()
        .find(|entry| entry.phase == Status::Ready)?;
    let seconds_to_ready = ready.at.duration_since(machine.created_at).as_secs_f64();
    let mut calls = BTreeMap::new();
    for logged in world
        .faults
        .log()
        .iter()
        .filter(|logged| !logged.function.starts_with("refresh"))
    {
        *calls.entry(logged.action.to_string()).or_default() += 1;
    }
    let executions = world.stepfunctions.executions();
    Some(Cost {
        seconds_to_ready,
        lag_seconds: seconds_to_ready - trace.total().as_secs_f64(),
        transitions: executions
            .values()
            .map(|execution| execution.transitions)
            .sum(),
        invocations: world
            .faults
            .invoked()
            .iter()
            .filter(|name| !name.starts_with("refresh"))
            .count(),
        calls,
    })
}
