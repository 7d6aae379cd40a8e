//! The local stack: everything that runs on this computer instead of on AWS, started, wired together and ended.
//!
//! What is deployed is template.yaml with the functions' real binaries, into an AWS emulator (MiniStack). Beside it run
//! the simulated machines and a Walrus aggregator, in this process. All of it listens on loopback only.
//!
//! Invariants: one state directory belongs to one stack; whatever way this process ends, the emulator and the functions
//! end too; records survive that, except those of the last half minute if the emulator itself is killed.

mod aws;
mod deploy;
mod dirs;
mod emulator;
mod error;
mod events;
mod fleet;
mod front;
mod functions;
mod guard_rails;
mod helper;
mod http;
mod options;
mod ports;
mod python;
mod schedule;
mod sign_in;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use error::StackError;
pub use guard_rails::GuardRails;
pub use http::HttpError;
pub use options::{AdjustSim, Progress, StackOptions};

use self::aws::Aws;
use self::dirs::StateDir;
use self::emulator::Emulator;
use self::events::Delivery;
use self::front::FrontDoor;
use self::helper::Helper;
use self::http::Http;
use self::ports::Ports;
use self::schedule::Schedule;
use self::sign_in::{Admin, Renewal};
use crate::demo;
use crate::sim::{Clock, Executor, LAUNCH_TEMPLATE_ID, Sim, SimConfig, SimError, SimHandle};
use crate::walrus::{Walrus, WalrusConfig, WalrusError};

/// Where a stack's parts are: the content of `local.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The API.
    pub api_url: String,
    /// A bearer token of the first admin; renewed in `local.json` before its ten hours are over.
    pub admin_token: String,
    /// The Walrus aggregator, for reading blobs.
    pub aggregator_url: String,
    /// The Walrus publisher, for storing blobs.
    pub publisher_url: String,
    /// The simulated machines: EC2, Auto Scaling, Systems Manager and CloudWatch, and the simulator's own calls under `/_sim`.
    pub sim_url: String,
    /// The AWS emulator: everything else of AWS.
    pub aws_endpoint_url: String,
    /// A folder for each simulated machine.
    pub machines_dir: PathBuf,
}

/// The blobs that are there from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoBlobs {
    /// A model whose script runs.
    pub model: String,
    /// Not an archive: a machine given it fails and says why.
    pub broken: String,
}

/// A running stack. Dropped, it ends in the background; [`Stack::shutdown`] waits for that.
pub struct Stack {
    /// Where its parts are.
    pub addresses: Addresses,
    /// The blobs that are there from the start.
    pub demo_blobs: DemoBlobs,
    front: FrontDoor,
    renewal: Renewal,
    schedules: [Option<Schedule>; 2],
    delivery: Option<Delivery>,
    emulator: Emulator,
    sim: SimHandle,
    walrus: Walrus,
    aws: Aws,
    refresh: String,
    dir: Arc<StateDir>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the addresses: the token is among them.
        f.debug_struct("Stack")
            .field("emulator", &self.emulator)
            .finish_non_exhaustive()
    }
}

impl Stack {
    /// Builds, installs, starts and deploys what is needed. After an error, nothing is left running; after dropping the
    /// future, [`wait_until_ended`] waits for that.
    pub async fn start(options: StackOptions) -> Result<Self, StackError> {
        if !(1.0..=1_000.0).contains(&options.speed) {
            return Err(StackError::Speed(options.speed));
        }
        let root = checkout()?;
        let dir = Arc::new(StateDir::open(&options.state_dir)?);
        let started = Self::start_parts(options, &root, Arc::clone(&dir)).await;
        if started.is_err() {
            // What was started is ending. It is this stack's own: the state directory is still locked.
            emulator::end_left_over(&dir.emulator_lock()).await?;
        }
        started
    }

    async fn start_parts(
        options: StackOptions,
        root: &Path,
        dir: Arc<StateDir>,
    ) -> Result<Self, StackError> {
        let StackOptions {
            port,
            speed,
            parameters,
            adjust_sim,
            progress,
            ..
        } = options;
        let (listener, api_url) = front::bind(port).await?;
        let (helper, packages) = prepare(root, &dir, &progress).await?;

        progress("Starting the simulated machines, the Walrus aggregator and the AWS emulator");
        let ports = Ports::of_last_start(&dir);
        let (walrus, demo_blobs) = start_walrus(&dir, &ports).await?;
        let sim = start_sim(&dir, &ports, speed, adjust_sim).await?;
        let http = Http::new();
        let settings = emulator::Settings {
            sim_url: &sim.url(),
            speed,
            port: ports.emulator,
        };
        let emulator = Emulator::start(&helper, &dir, &http, &settings).await?;
        Ports::remember(&dir, &emulator, &sim, &walrus)?;

        progress("Deploying template.yaml");
        let aws = Aws::new(http.clone(), &emulator.endpoint, sim.clock());
        let parameters = deploy::Parameters {
            launch_template_id: LAUNCH_TEMPLATE_ID,
            aggregator_url: walrus.aggregator_url(),
            api_url: &api_url,
            speed,
            overrides: &parameters,
        };
        let deployed = deploy::deploy(&aws, &helper, &dir, root, &packages, &parameters).await?;
        let refresh = deployed.output("RefreshFunctionName")?.to_owned();

        let front = FrontDoor::open(
            listener,
            http.clone(),
            &emulator.endpoint,
            deployed.output("ApiId")?,
        )?;
        let secret = deployed.output("BootstrapAdminSecretArn")?;
        let admin = Admin::of(&aws, secret, http, api_url.clone()).await?;
        let addresses = Addresses {
            admin_token: admin.sign_in().await?,
            api_url,
            aggregator_url: walrus.aggregator_url().to_owned(),
            publisher_url: walrus.publisher_url().to_owned(),
            sim_url: sim.url(),
            aws_endpoint_url: emulator.endpoint.clone(),
            machines_dir: dir.machines(),
        };
        dirs::write_json(&dir.local_json(), &addresses)?;
        let renewal = admin.renew(addresses.clone(), Arc::clone(&dir));
        let schedules = schedule::start(&aws, &deployed, speed).await?;
        let delivery = events::start(&aws, &sim, &refresh).await?;
        Ok(Self {
            addresses,
            demo_blobs,
            front,
            renewal,
            schedules,
            delivery,
            emulator,
            sim,
            walrus,
            aws,
            refresh,
            dir,
        })
    }

    /// The simulated machines.
    pub fn sim(&self) -> &SimHandle {
        &self.sim
    }

    /// The Walrus aggregator.
    pub fn walrus(&self) -> &Walrus {
        &self.walrus
    }

    /// Runs the sweeper now, without waiting for what it does.
    pub async fn refresh(&self) -> Result<(), StackError> {
        self.aws.invoke(&self.refresh, schedule::INPUT).await
    }

    /// Waits until a part ends by itself, which none should.
    pub async fn failed(&mut self) -> StackError {
        self.emulator.failed().await
    }

    /// Ends everything. Records and machines are kept; what ran on the machines ends.
    pub async fn shutdown(self) -> Result<(), StackError> {
        let Self {
            front,
            renewal,
            schedules,
            delivery,
            emulator,
            sim,
            walrus,
            dir,
            ..
        } = self;
        front.close().await;
        drop((renewal, schedules, delivery));
        // First the emulator, while its state machines still find the machines they ask for.
        let stopped = emulator.stop().await;
        sim.shutdown().await;
        drop(walrus);
        drop(dir);
        stopped
    }
}

/// Where a stack keeps everything unless told otherwise: `.haulout` in the repository.
pub fn default_state_dir() -> PathBuf {
    checkout().unwrap_or_default().join(".haulout")
}

/// Removes everything that a stack has kept in a state directory. Returns whether there was anything.
pub async fn reset(state_dir: &Path) -> Result<bool, StackError> {
    let Some(kept) = dirs::Kept::find(state_dir)? else {
        return Ok(false);
    };
    emulator::end_left_over(&kept.emulator_lock()).await?;
    kept.remove()?;
    Ok(true)
}

/// Waits until nothing runs any more of a stack whose start was given up.
pub async fn wait_until_ended(state_dir: &Path) -> Result<(), StackError> {
    match dirs::Kept::find(state_dir)? {
        Some(kept) => emulator::end_left_over(&kept.emulator_lock()).await,
        None => Ok(()),
    }
}

/// What is installed and built before anything is started.
async fn prepare(
    root: &Path,
    dir: &StateDir,
    progress: &Progress,
) -> Result<(Helper, Vec<functions::Package>), StackError> {
    let workspace = functions::workspace(root).await?;
    let cache = workspace.target_directory.join("haulout-local");
    let python = python::environment(&cache, progress).await?;
    let helper = Helper::new(python, &dir.tmp())?;
    progress("Building the functions (the first time takes minutes)");
    let built = functions::build(root, &workspace).await?;
    let packages = functions::package(&built, &cache.join("packages"), &helper).await?;
    Ok((helper, packages))
}

/// The repository this program was built in.
fn checkout() -> Result<PathBuf, StackError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let template = root.join("template.yaml");
    if !template.exists() {
        return Err(StackError::NoCheckout(template));
    }
    std::fs::canonicalize(&root).map_err(StackError::file("find", root))
}

async fn start_walrus(dir: &StateDir, ports: &Ports) -> Result<(Walrus, DemoBlobs), StackError> {
    let config = |port| WalrusConfig {
        data_dir: Some(dir.walrus()),
        port,
    };
    let walrus = match Walrus::start(config(ports.walrus.unwrap_or(0))).await {
        Err(WalrusError::Listen { .. }) => Walrus::start(config(0)).await,
        started => started,
    };
    let walrus = walrus?;
    let model = walrus.put(demo::archive()).await?;
    let broken = walrus.put(demo::not_a_zip()).await?;
    Ok((
        walrus,
        DemoBlobs {
            model: model.blob_id,
            broken: broken.blob_id,
        },
    ))
}

async fn start_sim(
    dir: &StateDir,
    ports: &Ports,
    speed: f64,
    adjust: Option<AdjustSim>,
) -> Result<SimHandle, StackError> {
    let mut config = SimConfig::new(
        Clock::real(speed),
        Executor::Real {
            machines_dir: dir.machines(),
        },
    );
    // The template makes the profile, and names it after itself.
    config.instance_profiles = vec!["*".into()];
    config.state_file = Some(dir.sim_state());
    fleet::add(&mut config);
    config.port = ports.sim.unwrap_or(0);
    if let Some(adjust) = adjust {
        adjust(&mut config);
    }
    let again = SimConfig {
        port: 0,
        ..config.clone()
    };
    match Sim::start(config).await {
        Err(SimError::Bind { .. }) => Ok(Sim::start(again).await?),
        started => Ok(started?),
    }
}
