//! How a scenario is set up and played.

use std::time::Duration;

use haulout_domain::ids::MachineId;
use haulout_local::sim::{Capacity, Fault, Market};
use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal, Service},
    dynamo::MACHINES,
    faults::{CallFault, Trouble},
    life::is_settled,
    settings::Settings,
    world::{World, usual_request},
};
use http::Method;
use serde_json::{Value, json};

use super::scenario::{Goal, Scenario};

/// Longer than whatever comes before a scenario takes.
const PREPARED_WITHIN: Duration = Duration::from_hours(1);
/// The simulator's subnets, each in a zone of its own.
const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f6000a", "subnet-0a1b2c3d4e5f6000b"];

impl Scenario {
    pub(crate) fn settings(self) -> Settings {
        let mut settings = match self {
            Self::Failing | Self::Kept | Self::GroupFailing => Settings::failing(),
            _ => Settings::default(),
        };
        settings.keep_failed_minutes = 3;
        settings.events = !self.is_unheard();
        match self {
            Self::SpotToOnDemand | Self::SpotRefused => {
                settings.sim.capacity = vec![no_room("*", Some(Market::Spot))];
            }
            Self::FailOver => settings.sim.capacity = vec![no_room("us-east-1a", None)],
            Self::Exhausted => settings.sim.capacity = vec![no_room("*", None)],
            Self::Quota => settings.launch.guard_rails.max_machines = Some(1),
            _ => {}
        }
        if matches!(self, Self::FailOver | Self::FailOverLate | Self::Exhausted) {
            settings.launch.subnets = SUBNETS.map(|id| id.parse().unwrap()).to_vec();
        }
        settings
    }

    fn body(self) -> Value {
        let mut body = usual_request();
        match self {
            Self::Bare | Self::StartBare => return json!({}),
            Self::Kept => body["on_failure"] = json!("keep"),
            Self::Spot
            | Self::SpotRefused
            | Self::SpotToOnDemand
            | Self::Interrupted
            | Self::InterruptedUnheard
            | Self::InterruptedEarly => {
                body["market"] = json!("spot");
                if self == Self::SpotToOnDemand {
                    body["fallback_to_on_demand"] = json!(true);
                }
            }
            Self::Group | Self::GroupFailing | Self::GroupDeleted | Self::Strays => {
                body["create_security_group"] = json!({"cidr": "203.0.113.7/32"});
            }
            Self::Expired => body["ttl_minutes"] = json!(11),
            _ => {}
        }
        body
    }

    /// What comes before the scenario.
    pub(crate) async fn prepare(self, world: &World) {
        match self {
            Self::FailOverLate => {
                let mut late = Fault::new("machine", "boot", "dies");
                late.reason = Some("Server.InsufficientInstanceCapacity".to_owned());
                world.sim.arm_fault(late).unwrap();
            }
            Self::GroupDeleted
            | Self::Stop
            | Self::StopUnheard
            | Self::DeletedStopping
            | Self::Interrupted
            | Self::InterruptedUnheard
            | Self::Expired
            | Self::TerminatedOutside
            | Self::TerminatedUnheard => {
                self.ready(world).await;
            }
            Self::StoppedOutside | Self::StoppedUnheard => {
                self.ready(world).await;
                rest(world).await;
            }
            Self::StartedOutside | Self::StartedUnheard => {
                self.stopped(world).await;
                rest(world).await;
            }
            Self::StartStaged
            | Self::StartBare
            | Self::StartRefused
            | Self::DeletedStopped
            | Self::DeletedStarting => {
                self.stopped(world).await;
                if self == Self::StartRefused {
                    world.sim.set_capacity(vec![no_room("*", None)]);
                }
            }
            Self::Drained => {
                self.stopped(world).await;
                self.ready(world).await;
            }
            Self::Strays => {
                let id = self.ready(world).await;
                let key = json!({"TableName": MACHINES, "Key": {"id": {"S": id.as_str()}}});
                let (status, answer) = world.dynamo.call("DeleteItem", key.to_string().as_bytes());
                assert_eq!(status, 200, "{answer}");
            }
            _ => {}
        }
    }

    async fn ready(self, world: &World) -> MachineId {
        let id = world.create(&self.body()).await.unwrap();
        assert!(world.settle(PREPARED_WITHIN).await);
        id
    }

    async fn stopped(self, world: &World) {
        let id = self.ready(world).await;
        assert_eq!(world.post(&id, "stop").await, Some(202));
        assert!(world.settle(PREPARED_WITHIN).await);
    }

    /// What happens.
    pub(crate) async fn begin(self, world: &World) {
        if self == Self::Unstarted {
            let denied = Trouble::Refused(Refusal::AccessDenied);
            let fault = CallFault::new("instances", &start_execution(), denied);
            world.faults.arm(fault);
        }
        if !self.is_prepared() {
            self.create(world, "the-only-request", 0);
            // The same request again, as from a client that saw no answer: it must never make a second machine.
            self.create(world, "the-only-request", 2);
        }
        for (after, job) in self.jobs() {
            world.plan(Duration::from_secs(after), job);
        }
        match self {
            Self::TerminatedOutside | Self::TerminatedUnheard => {
                world
                    .compute
                    .terminate(&instance(world).await)
                    .await
                    .unwrap();
            }
            Self::StoppedOutside | Self::StoppedUnheard => {
                world.compute.stop(&instance(world).await).await.unwrap();
            }
            Self::StartedOutside | Self::StartedUnheard => {
                world.compute.start(&instance(world).await).await.unwrap();
            }
            Self::Drained => {
                self.create(world, "while-it-is-drained", 0);
                world.until(Duration::from_secs(5), async |_| false).await;
                drain(world).await;
                self.create(world, "too-late", 0);
            }
            Self::Quota => {
                self.create(world, "too-early", 3);
                self.create(world, "when-there-is-room", 120);
            }
            _ => {}
        }
    }

    /// What callers and EC2 do, after so many seconds.
    fn jobs(self) -> Vec<(u64, Job)> {
        match self {
            Self::DeletedEarly => vec![(5, Job::DeleteFirst)],
            Self::DeletedLate => vec![(30, Job::DeleteFirst)],
            Self::DeletedReady | Self::Quota => vec![(50, Job::DeleteFirst)],
            Self::GroupDeleted | Self::DeletedStopped => vec![(1, Job::DeleteFirst)],
            Self::Stop | Self::StopUnheard => vec![(1, Job::StopFirst), (3, Job::StopFirst)],
            Self::StartStaged | Self::StartBare | Self::StartRefused => {
                vec![(1, Job::StartFirst), (3, Job::StartFirst)]
            }
            Self::DeletedStopping => vec![(1, Job::StopFirst), (4, Job::DeleteFirst)],
            Self::DeletedStarting => vec![(1, Job::StartFirst), (4, Job::DeleteFirst)],
            Self::Interrupted | Self::InterruptedUnheard => vec![(1, Job::InterruptFirst)],
            Self::InterruptedEarly => vec![(18, Job::InterruptFirst)],
            _ => Vec::new(),
        }
    }

    fn create(self, world: &World, key: &str, after: u64) {
        let create = Job::Create {
            body: self.body(),
            key: Some(key.to_owned()),
        };
        world.plan(Duration::from_secs(after), create);
    }

    /// It begins with a machine.
    fn is_prepared(self) -> bool {
        self.must_survive()
            || matches!(
                self,
                Self::GroupDeleted
                    | Self::DeletedStopping
                    | Self::DeletedStopped
                    | Self::DeletedStarting
                    | Self::Interrupted
                    | Self::InterruptedUnheard
                    | Self::Expired
                    | Self::Drained
                    | Self::Strays
                    | Self::TerminatedOutside
                    | Self::TerminatedUnheard
            )
    }

    /// Everything has come to its end.
    pub(crate) async fn is_over(self, world: &World) -> bool {
        if !world.is_idle() {
            return false;
        }
        let machines = world.machines().await;
        if !machines.iter().all(is_settled) {
            return false;
        }
        let mut machines = machines.iter();
        match self.goal() {
            Goal::Settled => true,
            Goal::Closed => machines.all(|it| it.closed_at.is_some()),
            Goal::Stopped => {
                machines.all(|it| it.closed_at.is_some() || it.status.as_str() == "stopped")
            }
            Goal::Restarted => machines.all(|it| it.closed_at.is_some() || it.cycle > 1),
            Goal::Drained => {
                let drain = world.store.drain().await.unwrap();
                drain.is_none() || machines.all(|it| it.closed_at.is_some())
            }
            Goal::NothingLeft => {
                let state = world.sim.state();
                let mut instances = state.machines.iter();
                instances.all(|it| it.state == "terminated") && state.security_groups.is_empty()
            }
        }
    }
}

/// What contradicts a fresh change is looked at again before it counts: the change must be old.
async fn rest(world: &World) {
    world.until(Duration::from_mins(2), async |_| false).await;
}

async fn instance(world: &World) -> haulout_domain::ids::InstanceId {
    let machines = world.machines().await;
    machines[0].instance_id.clone().unwrap()
}

/// An administrator drains the deployment, and tries again where there is no answer.
async fn drain(world: &World) {
    for _ in 0..5 {
        let answer = world.request(Method::POST, "/drain", None, None).await;
        if answer.is_some_and(|(status, _)| status == 202) {
            return;
        }
    }
}

fn no_room(zone: &str, market: Option<Market>) -> Capacity {
    Capacity {
        zone: zone.to_owned(),
        instance_type: "*".to_owned(),
        market,
        limit: 0,
    }
}

pub(crate) fn start_execution() -> Action {
    Action {
        service: Service::StepFunctions,
        name: "StartExecution".to_owned(),
    }
}
