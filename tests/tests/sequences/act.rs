//! How a step is done in a world.

use std::time::Duration;

use haulout_domain::ids::InstanceId;
use haulout_local::sim::{Capacity, Fault, Market};
use haulout_tests::{
    agenda::Job,
    call::Action,
    faults::{CallFault, InvocationFault},
    lambda::schedule_event,
    world::{World, usual_request},
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    journal::Journal,
    step::{Outside, Scarcity, Step, Verb, Wish},
};

/// Types that Haulout takes where a request names none, and the deployment no template.
pub(super) const TYPES: [&str; 2] = ["t3.medium", "t3a.medium"];

/// Who does the steps.
pub(super) struct Actor<'a> {
    pub(super) world: &'a World,
    /// The last request for a machine, with its key.
    asked: Option<(Value, Option<String>)>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { world, asked: None }
    }

    /// Does a step; answers when it is done.
    #[expect(clippy::too_many_lines, reason = "an arm a step, each a few lines")]
    pub(super) async fn act(&mut self, step: &Step, journal: &Journal) {
        let world = self.world;
        match step {
            Step::Create(wish) => {
                self.asked = Some(request(wish));
                self.create().await;
            }
            Step::CreateAgain => self.create().await,
            Step::Ask(verb, which) => {
                if let Some((method, path)) = ask(*verb, *which, journal) {
                    send(world, method, &path).await;
                }
            }
            Step::AskAtOnce(verbs, which) => {
                let asks = verbs.iter().filter_map(|verb| ask(*verb, *which, journal));
                for (method, path) in asks {
                    let (key, body) = (None, None);
                    world.plan(
                        Duration::ZERO,
                        Job::Request {
                            method,
                            path,
                            key,
                            body,
                        },
                    );
                }
                world.tick().await;
            }
            Step::List => send(world, Method::GET, "/instances").await,
            Step::Drain(begin) => {
                let method = if *begin { Method::POST } else { Method::DELETE };
                send(world, method, "/drain").await;
            }
            Step::Wait(seconds) => {
                let time = Duration::from_secs(*seconds);
                Box::pin(world.until(time, async |_| false)).await;
            }
            Step::Interrupt(which) => {
                if let Some(instance) = instance(*which, journal) {
                    // One that is gone cannot be interrupted any more, and one on demand never.
                    let _refused = world.sim.interrupt(instance.as_str()).await;
                }
            }
            Step::Outside(outside, which) => {
                if let Some(instance) = instance(*which, journal) {
                    do_outside(world, *outside, &instance).await;
                }
            }
            Step::Scarce(scarcity) => world
                .sim
                .set_capacity(scarcity.iter().map(capacity).collect()),
            Step::Misbehave(part, how) => {
                world
                    .sim
                    .arm_fault(Fault::new("machine", part, how))
                    .unwrap();
            }
            Step::Trouble(calls) => world.faults.arm(CallFault {
                skip: calls.skip,
                times: calls.times,
                ..CallFault::new(calls.function, &action(calls.action), calls.trouble)
            }),
            Step::Doom(doomed) => world.faults.doom(InvocationFault {
                function: doomed.function.to_owned(),
                fate: doomed.fate,
                skip: doomed.skip,
                times: doomed.times,
                until: Timestamp::MAX,
            }),
            Step::Calm => calm(world),
            Step::Abort(which) => {
                if let Some(name) = execution(world, *which) {
                    world.abort(&name);
                }
            }
            Step::Vanish(which) => {
                if let Some(name) = execution(world, *which) {
                    world.stepfunctions.executions().remove(&name);
                }
            }
            Step::Sweep => {
                Box::pin(world.sweep(schedule_event())).await;
            }
            Step::EventAgain(which) => {
                let events = world.ec2_events();
                if let Some(event) = nth(&events, *which) {
                    world.plan(Duration::ZERO, Job::Ec2Event(event.clone()));
                }
            }
            Step::StreamAgain(count) => {
                let records = world.writes_from(journal.read.saturating_sub(*count));
                world.plan(Duration::ZERO, Job::StreamAgain(records));
            }
        }
    }

    async fn create(&self) {
        let Some((body, key)) = &self.asked else {
            return;
        };
        Box::pin(
            self.world
                .request(Method::POST, "/instances", key.as_deref(), Some(body)),
        )
        .await;
    }
}

/// Nothing goes wrong any more, and EC2 has room.
pub(super) fn calm(world: &World) {
    world.faults.clear();
    world.sim.clear_faults();
    world.sim.set_capacity(Vec::new());
}

/// The one at this place, counted from the last; beyond the first, it begins anew.
fn nth<T>(all: &[T], which: usize) -> Option<&T> {
    let place = which.checked_rem(all.len())?;
    all.iter().rev().nth(place)
}

fn ask(verb: Verb, which: usize, journal: &Journal) -> Option<(Method, String)> {
    let machine = nth(&journal.ids(), which)?.clone();
    let path = format!("/instances/{machine}");
    Some(match verb {
        Verb::Start => (Method::POST, format!("{path}/start")),
        Verb::Stop => (Method::POST, format!("{path}/stop")),
        Verb::Delete => (Method::DELETE, path),
        Verb::Get => (Method::GET, path),
        Verb::GetInstance => (
            Method::GET,
            format!("/instances/{}", instance(which, journal)?),
        ),
    })
}

async fn send(world: &World, method: Method, path: &str) {
    Box::pin(world.request(method, path, None, None)).await;
}

fn instance(which: usize, journal: &Journal) -> Option<InstanceId> {
    let id = nth(&journal.ids(), which)?.clone();
    journal.machines[&id].instance_id.clone()
}

/// Refusals are EC2's business: whoever asks it behind Haulout's back may ask nonsense.
async fn do_outside(world: &World, outside: Outside, instance: &InstanceId) {
    let _refused = match outside {
        Outside::Stop => world.compute.stop(instance).await,
        Outside::Start => world.compute.start(instance).await,
        Outside::Terminate => world.compute.terminate(instance).await,
    };
}

fn execution(world: &World, which: usize) -> Option<String> {
    let names: Vec<String> = world.stepfunctions.executions().keys().cloned().collect();
    nth(&names, which).cloned()
}

fn action((service, name): (haulout_tests::call::Service, &str)) -> Action {
    Action {
        service,
        name: name.to_owned(),
    }
}

fn capacity(scarcity: &Scarcity) -> Capacity {
    let each = || "*".to_owned();
    Capacity {
        zone: scarcity
            .zone
            .map_or_else(each, |letter| format!("us-east-1{letter}")),
        instance_type: scarcity
            .instance_type
            .map_or_else(each, |which| TYPES[which].to_owned()),
        market: scarcity
            .spot
            .map(|spot| if spot { Market::Spot } else { Market::OnDemand }),
        limit: scarcity.limit,
    }
}

fn request(wish: &Wish) -> (Value, Option<String>) {
    let mut body = if wish.blob {
        usual_request()
    } else {
        json!({})
    };
    if let Some(fallback) = wish.spot {
        body["market"] = json!("spot");
        body["fallback_to_on_demand"] = json!(fallback);
    }
    if wish.group {
        body["create_security_group"] = json!({"cidr": "203.0.113.7/32"});
    }
    if let Some(minutes) = wish.ttl {
        body["ttl_minutes"] = json!(minutes);
    }
    if wish.keep {
        body["on_failure"] = json!("keep");
    }
    if wish.checks {
        body["wait_for_status_checks"] = json!(true);
    }
    if wish.arm {
        body["instance_type"] = json!("t4g.micro");
        body["ami"] = json!("ami-0a1b2c3d4e5f60002");
    }
    (body, wish.key.map(|key| format!("key-{key}")))
}
