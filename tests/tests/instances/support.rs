//! The function `instances` in a test world, called as API Gateway calls it.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use haulout_api::Conventions;
use haulout_aws::{
    catalog::Catalog, clock::Clock, compute::Compute, emf::Metrics, figures::Figures,
    registry::Registry, store::Store, workflow::Workflow,
};
use haulout_domain::{machine::Machine, plan::LaunchDefaults, poll::Deadlines};
use haulout_instances::Instances;
use haulout_local::sim::LAUNCH_TEMPLATE_ID;
use haulout_tests::{
    call::{Action, Refusal, Service},
    callers::{Callers, TOKEN},
    dynamo::{registry_tables, tables},
    faults::{CallFault, Trouble},
    gateway::{Answer, GatewayEvent},
    settings::Settings,
    stepfunctions::STATE_MACHINE_ARN,
    world::{DEPLOYMENT, World},
};
use serde_json::Value;

/// The seeded Amazon Linux images.
pub(super) const X86_AMI: &str = "ami-0a1b2c3d4e5f60001";
pub(super) const ARM_AMI: &str = "ami-0a1b2c3d4e5f60002";
/// The function's name among invocations, for faults.
const FUNCTION: &str = "instances";

/// The function, and the world it is in.
pub(super) struct Machines {
    pub(super) world: World,
    state: Arc<Instances>,
    app: Router,
    lines: Lines,
}

/// What the function says on stdout.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A deployment with a launch template: t3.medium, Amazon Linux for x86_64, 30 GiB.
pub(super) fn with_template() -> LaunchDefaults {
    LaunchDefaults {
        launch_template_id: LAUNCH_TEMPLATE_ID.parse().ok(),
        ..LaunchDefaults::default()
    }
}

impl Machines {
    /// The function in a deployment without a launch template and without rules.
    pub(super) async fn plain() -> Self {
        Self::start(LaunchDefaults::default()).await
    }

    pub(super) async fn start(launch: LaunchDefaults) -> Self {
        Self::start_with(launch, Settings::default()).await
    }

    pub(super) async fn start_with(launch: LaunchDefaults, settings: Settings) -> Self {
        Self::start_among(Callers::cast(), launch, settings).await
    }

    /// The function in a deployment without rules, called by these.
    pub(super) async fn with_callers(callers: Callers) -> Self {
        Self::start_among(callers, LaunchDefaults::default(), Settings::default()).await
    }

    async fn start_among(callers: Callers, launch: LaunchDefaults, settings: Settings) -> Self {
        let settings = Settings {
            launch: launch.clone(),
            ..settings
        };
        let world = World::start(settings).await;
        let lines = Lines::default();
        let state = Arc::new(instances(&world, launch, lines.clone()));
        let conventions = Conventions {
            auth: Some(callers.auth()),
            ..Conventions::default()
        };
        let app = haulout_instances::app(Arc::clone(&state), conventions);
        Self {
            world,
            state,
            app,
            lines,
        }
    }

    /// The routes without conventions: whoever uses them says who calls.
    pub(super) fn routes(&self) -> Router {
        let (routes, _) = haulout_instances::routes(Arc::clone(&self.state)).split_for_parts();
        routes
    }

    pub(super) async fn send(&self, event: GatewayEvent) -> Answer {
        self.send_as(TOKEN, event).await
    }

    /// As one of the [`Callers::cast`].
    pub(super) async fn send_as(&self, token: &str, event: GatewayEvent) -> Answer {
        let event = event.token(token);
        let answered = self.world.invoke(FUNCTION, || event.send(&self.app)).await;
        answered.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(GatewayEvent::get(path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(GatewayEvent::post(path, body.to_string())).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(GatewayEvent::new("DELETE", path)).await
    }

    /// A new machine's record, as the function wrote it.
    pub(super) async fn create(&self, body: &Value) -> Machine {
        let answer = self.post("/instances", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        self.world.machine(&id).await
    }

    /// A request that makes no machine: its problem's code and detail.
    pub(super) async fn refused(&self, body: &Value, status: u16) -> (String, String) {
        let before = self.world.machines().await.len();
        let answer = self.post("/instances", body).await;
        let code = answer.problem(status);
        assert_eq!(self.world.machines().await.len(), before, "{body}");
        (code, answer.detail())
    }

    /// EC2's own state of a machine's instance.
    pub(super) fn state(&self, machine: &Machine) -> String {
        let id = machine.instance_id.as_ref().unwrap().as_str();
        let snapshot = serde_json::to_value(self.world.sim.state()).unwrap();
        let all = snapshot["machines"].as_array().unwrap();
        let found = all.iter().find(|it| it["instance_id"] == id).unwrap();
        found["state"].as_str().unwrap().to_owned()
    }

    /// POST …/start or …/stop.
    pub(super) async fn power(&self, machine: &Machine, verb: &str) -> Answer {
        let path = format!("/instances/{}/{verb}", machine.id);
        self.send(GatewayEvent::new("POST", &path)).await
    }

    /// From now on AWS refuses an action to the function.
    pub(super) fn refuse(&self, service: Service, action: &str, refusal: Refusal) {
        let action = Action {
            service,
            name: action.to_owned(),
        };
        let fault = CallFault::new(FUNCTION, &action, Trouble::Refused(refusal));
        self.world.faults.arm(fault);
    }

    /// How often the function called an action.
    pub(super) fn calls(&self, action: &str) -> usize {
        let log = self.world.faults.log();
        log.iter().filter(|call| call.action.name == action).count()
    }

    /// How often the function counted an action with this outcome.
    pub(super) fn counted(&self, action: &str, outcome: &str) -> usize {
        let lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8(lines.clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["Transitions"] == 1.0)
            .filter(|line| line["Action"] == action && line["Outcome"] == outcome)
            .count()
    }
}

fn instances(world: &World, launch: LaunchDefaults, lines: Lines) -> Instances {
    let sdk = world.sdk_config();
    let time = world.clock.clone();
    let clock = Clock::from_fn(move || time.now());
    let store = Store::new(sdk, tables());
    Instances {
        catalog: Catalog::new(sdk, store.clone(), clock.clone()),
        store,
        compute: Compute::new(sdk, DEPLOYMENT),
        figures: Figures::new(sdk),
        registry: Registry::new(sdk, registry_tables()),
        workflow: Workflow::new(sdk, STATE_MACHINE_ARN),
        settings: haulout_instances::Settings {
            launch,
            deadlines: Deadlines::default(),
            keep_failed_minutes: 10,
        },
        clock,
        metrics: Metrics::to(DEPLOYMENT, lines),
    }
}
