//! The function `pool` in a test world, called as API Gateway calls it, and idle machines for it.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use haulout_api::Conventions;
use haulout_aws::{clock::Clock, emf::Metrics, store::Store};
use haulout_domain::{
    ids::InstanceId,
    machine::{InstanceFacts, Machine},
    poll::Deadlines,
    pool::{Lifecycle, Member, life::Sight},
    status::{InstanceState, Status},
};
use haulout_pool::{Candidates, Pool};
use haulout_tests::{
    callers::{Callers, TOKEN},
    dynamo::tables,
    gateway::{Answer, GatewayEvent},
    settings::Settings,
    world::{DEPLOYMENT, POOL_GROUP, World},
};
use serde_json::Value;

/// The function's name among invocations.
const FUNCTION: &str = "pool";

/// The function, and the world it is in.
pub(super) struct Projects {
    pub(super) world: World,
    state: Arc<Pool>,
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

impl Projects {
    /// A deployment whose pool has no machines yet.
    pub(super) async fn start() -> Self {
        Self::start_with(Some(POOL_GROUP), Settings::default()).await
    }

    pub(super) async fn start_with(group: Option<&str>, settings: Settings) -> Self {
        let world = Box::pin(World::start(settings)).await;
        let lines = Lines::default();
        let time = world.clock.clone();
        let state = Arc::new(Pool {
            store: Store::new(world.sdk_config(), tables()),
            settings: haulout_pool::Settings {
                group: group.map(str::to_owned),
                ..haulout_pool::Settings::default()
            },
            candidates: Candidates::default(),
            clock: Clock::from_fn(move || time.now()),
            metrics: Metrics::to(DEPLOYMENT, lines.clone()),
        });
        let conventions = Conventions {
            auth: Some(Callers::cast().auth()),
            ..Conventions::default()
        };
        let app = haulout_pool::app(Arc::clone(&state), conventions);
        Self {
            world,
            state,
            app,
            lines,
        }
    }

    /// A pool with so many idle machines.
    pub(super) async fn with_idle(count: u32) -> Self {
        let projects = Self::start().await;
        for number in 1..=count {
            projects.idle(number).await;
        }
        projects
    }

    /// The routes without conventions: whoever uses them says who calls.
    pub(super) fn routes(&self) -> Router {
        let (routes, _) = haulout_pool::routes(Arc::clone(&self.state)).split_for_parts();
        routes
    }

    /// The function without a token.
    pub(super) fn app(&self) -> &Router {
        &self.app
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

    pub(super) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(GatewayEvent::post(path, body.to_string()).method("PUT"))
            .await
    }

    /// PUT of a project's machine, without a body.
    pub(super) async fn claim(&self, project: &str) -> Answer {
        let path = format!("/projects/{project}/machine");
        self.send(GatewayEvent::new("PUT", &path)).await
    }

    /// PUT of a project's machine that succeeds.
    pub(super) async fn claimed(&self, project: &str) -> Value {
        let answer = self.claim(project).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        answer.json()
    }

    /// DELETE of a project's machine.
    pub(super) async fn release(&self, project: &str) -> Answer {
        let path = format!("/projects/{project}/machine");
        self.send(GatewayEvent::new("DELETE", &path)).await
    }

    /// A machine that refresh found in the group, and whose agent does not report yet.
    pub(super) async fn warming(&self, number: u32) -> Machine {
        let now = self.world.clock.now();
        let deadlines = Deadlines::default();
        let machine = Machine::discovered(POOL_GROUP, facts(number), None, deadlines, now);
        let store = &self.world.store;
        assert_eq!(
            store
                .discover(std::slice::from_ref(&machine))
                .await
                .unwrap(),
            1
        );
        machine
    }

    /// An idle machine.
    pub(super) async fn idle(&self, number: u32) -> Machine {
        let machine = Box::pin(self.warming(number)).await;
        let facts = facts(number);
        let member = Member {
            instance: facts.id.clone(),
            lifecycle: Lifecycle::InService,
            healthy: true,
            is_protected: true,
        };
        let sight = Sight {
            member: Some(&member),
            facts: Some(&facts),
            agent_online: Some(true),
        };
        let now = self.world.clock.now();
        let seen = self.change(&machine, |machine| {
            machine.observe_in_pool(&sight, now);
        });
        let machine = Box::pin(seen).await;
        assert_eq!(machine.status, Status::Idle);
        machine
    }

    pub(super) async fn change(
        &self,
        machine: &Machine,
        mut change: impl FnMut(&mut Machine),
    ) -> Machine {
        let changed = self
            .world
            .store
            .update(&machine.id, |machine| change(machine))
            .await;
        changed.unwrap().unwrap().0
    }

    /// The record of the machine that an answer names.
    pub(super) async fn machine(&self, answer: &Value) -> Machine {
        let id = answer["machine_id"].as_str().unwrap().parse().unwrap();
        self.world.machine(&id).await
    }

    /// How often the function called an action.
    pub(super) fn calls(&self, action: &str) -> usize {
        let log = self.world.faults.log();
        log.iter().filter(|call| call.action.name == action).count()
    }

    /// How many claims came to this.
    pub(super) fn counted(&self, outcome: &str) -> usize {
        let lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8(lines.clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["Claims"] == 1.0 && line["Outcome"] == outcome)
            .count()
    }
}

/// An instance that runs. Ids are as scattered as EC2's.
pub(super) fn facts(number: u32) -> InstanceFacts {
    let scattered = u128::from(number).wrapping_mul(0x9_e377_9b97_f4a7_c15b) & ((1 << 68) - 1);
    let id: InstanceId = format!("i-{scattered:017x}").parse().unwrap();
    InstanceFacts {
        id,
        state: InstanceState::Running,
        state_reason: None,
        state_reason_code: None,
        ami_id: None,
        instance_type: None,
        architecture: None,
        availability_zone: None,
        subnet_id: None,
        public_ip: Some(format!("203.0.113.{number}")),
        private_ip: Some(format!("10.0.0.{number}")),
        security_group_id: None,
        spot_request_id: None,
        key_name: None,
        launch_time: "2026-11-20T19:00:00Z".parse().ok(),
    }
}
