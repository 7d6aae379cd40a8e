//! Many callers of one deployment, whose AWS calls go in an order that a seed decides.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use haulout_api::{
    Auth, Caller, Conventions,
    auth::{AuthError, Authenticate},
};
use haulout_aws::{
    catalog::Catalog, clock::Clock, compute::Compute, emf::Metrics, figures::Figures,
    registry::Registry,
};
use haulout_domain::{
    guard::GuardRails, ids::MachineId, plan::LaunchDefaults, poll::Deadlines, status::Status,
};
use haulout_instances::Instances;
use haulout_local::sim::LAUNCH_TEMPLATE_ID;
use haulout_tests::{
    call::{Action, Service},
    dynamo::{CONTROL, registry_tables},
    faults::{CallFault, Trouble},
    gateway::{Answer, GatewayEvent},
    life::together,
    settings::Settings,
    verdict::broken_promises,
    world::{DEPLOYMENT, World},
};
use serde_json::{Value, json};

/// Longer than anything takes to come to its end.
const HOUR: Duration = Duration::from_hours(1);
/// The function's name among invocations.
const FUNCTION: &str = "instances";

/// A deployment whose calls go in an order of their own, and its API.
pub(super) struct Crowd {
    pub(super) world: World,
    api: Router,
}

impl Crowd {
    pub(super) async fn start(seed: Option<u64>, quota: Option<u32>) -> Self {
        let launch = LaunchDefaults {
            launch_template_id: LAUNCH_TEMPLATE_ID.parse().ok(),
            guard_rails: GuardRails {
                max_machines: quota,
                ..GuardRails::default()
            },
            ..LaunchDefaults::default()
        };
        let world = World::start(Settings {
            shuffle: seed,
            launch: launch.clone(),
            ..Settings::default()
        })
        .await;
        let api = api(&world, launch);
        Self { world, api }
    }

    async fn send(&self, event: GatewayEvent) -> Answer {
        let event = event.token("a-token");
        let answer = self.world.invoke(FUNCTION, || event.send(&self.api)).await;
        answer.unwrap()
    }

    pub(super) async fn create(&self, key: Option<&str>, body: &Value) -> Answer {
        let event = GatewayEvent::post("/instances", body.to_string());
        let event = match key {
            Some(key) => event.header("idempotency-key", key),
            None => event,
        };
        self.send(event).await
    }

    /// Sends all of them at once. A reading goes first: while it waits for EC2 all others come to stand before their
    /// first call, so that none is ahead.
    pub(super) async fn all_at_once(&self, id: &MachineId, verbs: &[&str]) -> Vec<Answer> {
        let verbs = ["read"].iter().chain(verbs);
        let mut answers = together(verbs.map(|verb| self.act(id, verb))).await;
        let read = answers.remove(0);
        assert_eq!(read.status, 200, "{}", read.text());
        answers
    }

    /// `start`, `stop`, `delete` or `read`.
    pub(super) async fn act(&self, id: &MachineId, verb: &str) -> Answer {
        let event = match verb {
            "delete" => GatewayEvent::new("DELETE", &format!("/instances/{id}")),
            "read" => GatewayEvent::get(&format!("/instances/{id}")),
            verb => GatewayEvent::new("POST", &format!("/instances/{id}/{verb}")),
        };
        self.send(event).await
    }

    /// How many places of the quota are taken, as it is stored.
    pub(super) fn in_use(&self) -> u64 {
        let request = json!({
            "TableName": CONTROL, "Key": {"pk": {"S": "quota#admin"}}, "ConsistentRead": true,
        });
        let (status, answer) = self
            .world
            .dynamo
            .call("GetItem", request.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let number = answer["Item"]["in_use"]["N"].as_str().unwrap_or("0");
        number.parse().unwrap()
    }

    /// Lets everything come to its end, and holds it to every promise.
    pub(super) async fn settle(&self, what: &str) {
        let settled = self.world.settle(HOUR).await;
        assert!(settled, "{what}: {:?}", self.world.machines().await);
        assert_eq!(broken_promises(&self.world).await, [""; 0], "{what}");
    }

    pub(super) async fn status(&self, id: &MachineId) -> Status {
        self.world.machine(id).await.status
    }

    /// How many instances EC2 has that are not ended.
    pub(super) fn alive(&self) -> usize {
        let machines = self.world.sim.state().machines;
        let alive = machines.iter().filter(|it| it.state != "terminated");
        alive.count()
    }

    pub(super) fn arm(
        &self,
        service: Service,
        action: &str,
        trouble: Trouble,
        skip: u32,
        times: u32,
    ) {
        let action = Action {
            service,
            name: action.to_owned(),
        };
        self.world.faults.arm(CallFault {
            skip,
            times,
            ..CallFault::new(FUNCTION, &action, trouble)
        });
    }
}

fn api(world: &World, launch: LaunchDefaults) -> Router {
    let sdk = world.sdk_config();
    let time = world.clock.clone();
    let clock = Clock::from_fn(move || time.now());
    let state = Instances {
        store: world.store.clone(),
        compute: Compute::new(sdk, DEPLOYMENT),
        catalog: Catalog::new(sdk, world.store.clone(), clock.clone()),
        figures: Figures::new(sdk),
        registry: Registry::new(sdk, registry_tables()),
        workflow: world.workflow.clone(),
        settings: haulout_instances::Settings {
            launch,
            deadlines: Deadlines::default(),
            keep_failed_minutes: 10,
        },
        clock,
        metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
    };
    let conventions = Conventions {
        auth: Some(Auth::new(Everybody)),
        ..Conventions::default()
    };
    haulout_instances::app(Arc::new(state), conventions)
}

/// Whoever has a token is the administrator.
struct Everybody;

impl Authenticate for Everybody {
    fn authenticate<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>> {
        Box::pin(async { Ok(Caller::admin()) })
    }
}

/// The machine an answer is about.
pub(super) fn id(answer: &Answer) -> MachineId {
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}
