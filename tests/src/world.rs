//! Everything a launch needs, in one process and on virtual time: the functions as they are deployed, the state machine
//! of `statemachine/`, the tables of template.yaml, simulated EC2 and Systems Manager, and faults on demand.
//!
//! Nothing here sleeps: the clock jumps to whatever is due next.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use axum::Router;
use haulout_api::Caller;
use haulout_aws::{
    catalog::Catalog,
    clock::Clock,
    compute::Compute,
    emf::Metrics,
    figures::Figures,
    fleet::Fleet,
    groups::Groups,
    notify::Notifier,
    registry::Registry,
    remote::Remote,
    store::{Filter, Store},
    workflow::Workflow,
};
use haulout_domain::{
    ids::MachineId, machine::Machine, plan::LaunchDefaults, poll::Deadlines, pool::PoolSettings,
};
use haulout_events::Events;
use haulout_instances::Instances;
use haulout_local::sim::{self, Sim, SimHandle};
use haulout_provision::Provision;
use haulout_refresh::Refresh;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    agenda::Agenda,
    asl::Definition,
    dynamo::{Dynamo, registry_tables, tables},
    faults::Faults,
    gate::Gate,
    s3::S3,
    settings::Settings,
    sns::{Sns, TOPIC_ARN},
    stepfunctions::StepFunctions,
    template,
    wire::{Wire, WireClient},
};

/// The deployment's name.
pub const DEPLOYMENT: &str = "haulout";
/// Stands for the function behind the state machine's tasks.
pub const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:haulout-provision";
/// The Auto Scaling group of the pool.
pub const POOL_GROUP: &str = "vscode-asg";
/// How often a call is tried by the SDK, as in the deployed functions.
const MAX_ATTEMPTS: u32 = 3;

/// A deployment, and the world around it.
pub struct World {
    /// The time.
    pub clock: sim::Clock,
    /// EC2 and Systems Manager.
    pub sim: SimHandle,
    /// What goes wrong.
    pub faults: Faults,
    /// The executions.
    pub stepfunctions: StepFunctions,
    /// The database.
    pub dynamo: Dynamo,
    /// What people were told.
    pub sns: Sns,
    /// The bucket of packages.
    pub s3: S3,
    /// The records, for the test's own reading; nothing goes wrong there.
    pub store: Store,
    /// EC2, for the test's own calls.
    pub compute: Compute,
    /// Systems Manager, for the test's own calls.
    pub remote: Remote,
    /// Step Functions, for the test's own calls.
    pub workflow: Workflow,
    /// When it all began.
    pub started: Timestamp,
    pub(crate) gate: Gate,
    pub(crate) provision: Provision,
    pub(crate) refresh: Refresh,
    pub(crate) events: Events,
    pub(crate) api: Router,
    pub(crate) agenda: Mutex<Agenda>,
    sdk: SdkConfig,
}

impl World {
    /// A deployment without machines.
    #[expect(
        clippy::expect_used,
        reason = "a harness that cannot start fails its test"
    )]
    pub async fn start(settings: Settings) -> Self {
        let Settings {
            sim,
            sweeps,
            sweep_every,
            events,
            shuffle,
            keep_failed_minutes,
            launch,
            pool,
            pool_repairs,
        } = settings;
        let clock = sim.clock.clone();
        let sim = Sim::start(sim).await.expect("the simulator");
        let stepfunctions = StepFunctions::new(definition());
        let (faults, gate) = (Faults::default(), Gate::default());
        if let Some(seed) = shuffle {
            gate.shuffle(seed);
        }
        let (dynamo, sns, s3) = (Dynamo::start(), Sns::default(), S3::default());
        let sdk = sdk_config(Wire {
            dynamo: dynamo.clone(),
            stepfunctions: stepfunctions.clone(),
            sns: sns.clone(),
            s3: s3.clone(),
            sim: sim.door(),
            faults: faults.clone(),
            gate: gate.clone(),
            clock: clock.clone(),
        });
        let mut functions = Functions::new(&sdk, &clock, keep_failed_minutes, &launch);
        functions.refresh.pool = pool.map(|settings| refresh_pool(&sdk, settings, pool_repairs));
        let Functions {
            store,
            compute,
            remote,
            workflow,
            provision,
            refresh,
            events: events_function,
            api,
        } = functions;
        let started = clock.now();
        let agenda = Mutex::new(Agenda::new(started, sweeps.then_some(sweep_every), events));
        Self {
            clock,
            sim,
            faults,
            stepfunctions,
            dynamo,
            sns,
            s3,
            store,
            compute,
            remote,
            workflow,
            started,
            gate,
            provision,
            refresh,
            events: events_function,
            api,
            agenda,
            sdk,
        }
    }

    /// The configuration that all clients are made from.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// A record.
    #[expect(clippy::expect_used, reason = "the test's own reading meets no faults")]
    pub async fn machine(&self, id: &MachineId) -> Machine {
        self.store
            .get(id)
            .await
            .expect("a readable record")
            .expect("a record of that id")
    }

    /// All records, newest first.
    #[expect(clippy::expect_used, reason = "the test's own reading meets no faults")]
    pub async fn machines(&self) -> Vec<Machine> {
        let now = self.clock.now();
        let page = self.store.list(Filter::default(), None, 1_000, now).await;
        page.expect("readable records").machines
    }

    /// The most machines that an owner may have, where that is limited.
    pub fn quota(&self) -> Option<u32> {
        self.refresh.quota
    }

    /// Time since the start.
    pub fn elapsed(&self) -> SignedDuration {
        self.clock.now().duration_since(self.started)
    }

    /// Lets time pass, and nothing else happen.
    pub fn jump(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// The functions as their `main` makes them, and the same clients for tests.
struct Functions {
    store: Store,
    compute: Compute,
    remote: Remote,
    workflow: Workflow,
    provision: Provision,
    refresh: Refresh,
    events: Events,
    api: Router,
}

impl Functions {
    #[expect(clippy::expect_used, reason = "constants of this crate")]
    fn new(
        sdk: &SdkConfig,
        clock: &sim::Clock,
        keep_failed_minutes: u32,
        launch: &LaunchDefaults,
    ) -> Self {
        let time = clock.clone();
        let clock = Clock::from_fn(move || time.now());
        let metrics = Metrics::to(DEPLOYMENT, std::io::sink());
        let store = Store::new(sdk, tables());
        let compute = Compute::new(sdk, DEPLOYMENT);
        let groups = Groups::new(sdk, DEPLOYMENT);
        let catalog = Catalog::new(sdk, store.clone(), clock.clone());
        let remote = Remote::new(sdk);
        let workflow = Workflow::new(sdk, crate::stepfunctions::STATE_MACHINE_ARN);
        let provision = Provision {
            store: store.clone(),
            compute: compute.clone(),
            catalog: catalog.clone(),
            groups: groups.clone(),
            registry: Registry::new(sdk, registry_tables()),
            remote: remote.clone(),
            defaults: launch.clone(),
            aggregators: "https://aggregator.walrus.test"
                .parse()
                .expect("an aggregator's URL"),
            api_url: "https://api.test".parse().expect("a URL"),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let refresh = Refresh {
            store: store.clone(),
            compute: compute.clone(),
            groups: groups.clone(),
            workflow: workflow.clone(),
            quota: launch.guard_rails.max_machines,
            pool: None,
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let events = Events {
            store: store.clone(),
            compute: compute.clone(),
            groups,
            workflow: workflow.clone(),
            notifier: Notifier::new(sdk, Some(TOPIC_ARN.to_owned())),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let instances = Instances {
            store: store.clone(),
            compute: compute.clone(),
            catalog,
            figures: Figures::new(sdk),
            registry: Registry::new(sdk, registry_tables()),
            workflow: workflow.clone(),
            settings: haulout_instances::Settings {
                launch: launch.clone(),
                deadlines: Deadlines::default(),
                keep_failed_minutes,
            },
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let api = api(instances, clock, metrics);
        Self {
            store,
            compute,
            remote,
            workflow,
            provision,
            refresh,
            events,
            api,
        }
    }
}

/// What API Gateway routes to.
fn api(instances: Instances, clock: Clock, metrics: Metrics) -> Router {
    let pool = haulout_pool::Pool {
        store: instances.store.clone(),
        settings: haulout_pool::Settings {
            group: Some(POOL_GROUP.to_owned()),
            ..haulout_pool::Settings::default()
        },
        candidates: haulout_pool::Candidates::default(),
        clock,
        metrics,
    };
    let (instances, _) = haulout_instances::routes(Arc::new(instances)).split_for_parts();
    let (pool, _) = haulout_pool::routes(Arc::new(pool)).split_for_parts();
    let all = instances.merge(pool);
    all.layer(axum::Extension(Caller::admin()))
}

fn refresh_pool(sdk: &SdkConfig, settings: PoolSettings, repairs: bool) -> haulout_refresh::Pool {
    haulout_refresh::Pool {
        fleet: Fleet::new(sdk),
        remote: Remote::new(sdk),
        group: POOL_GROUP.to_owned(),
        settings,
        repairs,
        deadlines: Deadlines::default(),
    }
}

/// The state machine; read once for all worlds of a process.
#[expect(
    clippy::expect_used,
    reason = "a harness that cannot start fails its test"
)]
fn definition() -> Arc<Definition> {
    static DEFINITION: OnceLock<Arc<Definition>> = OnceLock::new();
    let load = || {
        let path = template::root().join("statemachine/provision.asl.json");
        Arc::new(Definition::load(&path, FUNCTION_ARN).expect("the state machine"))
    };
    Arc::clone(DEFINITION.get_or_init(load))
}

/// The body of a usual request.
pub fn usual_request() -> Value {
    json!({"blob_id": "E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU"})
}

fn sdk_config(wire: Wire) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test world");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url("http://aws.test")
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::no_cache())
        .http_client(WireClient::new(wire))
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(NoSleep)
        .build()
}

/// The SDK's waits between its attempts take no time.
#[derive(Debug, Clone)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(async {})
    }
}
