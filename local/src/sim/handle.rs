//! Starting and stopping a simulator, and what a test in the same process does with it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

use super::clock::Clock;
use super::config::SimConfig;
use super::error::{InterruptError, SimError};
use super::events::{self, Event, EventStream};
use super::exec::{Executor, kill_machines, prepare_machines_dir};
use super::fault::{Fault, FaultError};
use super::http::Door;
use super::image::Image;
use super::lifecycle::Interruption;
use super::limits::{Capacity, Limits, SpotPrice};
use super::persist::{self, Saver};
use super::server::Shared;
use super::snapshot::{self, Snapshot};
use super::ssm::InvocationKey;
use super::state::{State, World};
use super::{admin, autoscaling, ec2, housekeeper, http};

/// The simulator.
#[derive(Debug)]
pub struct Sim;

/// A simulator that runs. Dropping it stops it, too, but only [`SimHandle::shutdown`] waits for the end.
pub struct SimHandle {
    shared: Arc<Shared>,
    port: u16,
    tasks: Vec<JoinHandle<()>>,
}

impl Sim {
    /// Starts a simulator: on loopback, with the state it kept last time if it keeps any.
    pub async fn start(mut config: SimConfig) -> Result<SimHandle, SimError> {
        if !config.clock.is_sound() {
            return Err(SimError::Speed(config.clock.speed().unwrap_or_default()));
        }
        let (saver, world, to_begin) = load(&config)?;
        if let Executor::Real { machines_dir } = &mut config.executor {
            let failed = |source| SimError::MachinesDir {
                path: machines_dir.clone(),
                source,
            };
            // Commands find it from whatever directory they work in.
            let absolute = std::path::absolute(&machines_dir).map_err(failed)?;
            prepare_machines_dir(&absolute).map_err(failed)?;
            *machines_dir = absolute;
        }
        let bind = |source| SimError::Bind {
            port: config.port,
            source,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
            .await
            .map_err(bind)?;
        let port = listener.local_addr().map_err(bind)?.port();
        let state = State {
            world,
            limits: Limits {
                capacity: config.capacity.clone(),
                ..Limits::default()
            },
            images: config.images.clone(),
            ..State::default()
        };
        let shared = Arc::new(Shared::new(config, state, saver));
        shared.save().await;
        let tasks = vec![
            tokio::spawn(http::serve(Arc::clone(&shared), listener)),
            tokio::spawn(housekeeper::keep_house(Arc::clone(&shared))),
        ];
        shared.execute(to_begin);
        tracing::info!(port, "the simulator is up");
        Ok(SimHandle {
            shared,
            port,
            tasks,
        })
    }
}

/// The world to begin with, and the commands in it that have not begun.
fn load(config: &SimConfig) -> Result<(Option<Saver>, World, Vec<InvocationKey>), SimError> {
    let (saver, kept) = match &config.state_file {
        None => (None, None),
        Some(path) => {
            let (saver, kept) = Saver::open(path)?;
            (Some(saver), kept)
        }
    };
    let (mut world, mut to_begin) = (World::default(), Vec::new());
    if let Some((kept, now)) = kept {
        world = kept;
        config.clock.not_before(now);
        // A simulator that was killed could not clean up after itself.
        kill_machines(&with_processes(&world));
        to_begin = persist::revive(&mut world, config.clock.now(), config.clock.wall());
    }
    ec2::seed_groups(&mut world, &config.security_groups);
    for seed in &config.launch_templates {
        ec2::seed(&mut world, seed, config.clock.wall()).map_err(|error| {
            SimError::LaunchTemplate {
                id: seed.id.clone(),
                reason: error.message,
            }
        })?;
    }
    for seed in &config.auto_scaling_groups {
        let (now, wall) = (config.clock.now(), config.clock.wall());
        autoscaling::seed(&mut world, seed, config, now, wall).map_err(|error| {
            SimError::AutoScalingGroup {
                name: seed.name.clone(),
                reason: error.message,
            }
        })?;
    }
    autoscaling::wake(&mut world);
    Ok((saver, world, to_begin))
}

fn with_processes(world: &World) -> BTreeSet<String> {
    world
        .instances
        .values()
        .filter(|i| i.processes_since.is_some())
        .map(|i| i.id.clone())
        .collect()
}

/// A task that panicked is a defect of the simulator, and must not pass unnoticed.
pub(super) fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task of the simulator panicked");
    }
}

impl fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimHandle")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl SimHandle {
    /// Its address: the endpoint of EC2 and Systems Manager.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A way to it that needs no socket.
    pub fn door(&self) -> Door {
        Door::new(&self.shared)
    }

    /// The clock its machines live by.
    pub fn clock(&self) -> &Clock {
        &self.shared.config.clock
    }

    /// Everything at this instant.
    pub fn state(&self) -> Snapshot {
        snapshot::take(&self.shared.settled(), &self.shared.config)
    }

    /// Arms a fault, behind those armed already.
    pub fn arm_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.shared.settled().faults.arm(fault)
    }

    /// The faults that are armed, with how often each still strikes.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.lock().faults.list()
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.shared.settled().faults.clear();
    }

    /// Replaces the images, as when a new one is published.
    pub fn set_images(&self, images: Vec<Image>) {
        self.shared.settled().images = images;
    }

    /// Replaces the limits of capacity.
    pub fn set_capacity(&self, capacity: Vec<Capacity>) {
        self.shared.settled().limits.capacity = capacity;
    }

    /// Lets a subnet have that many addresses, those taken by instances included; without this, it never runs out.
    pub fn set_addresses(&self, subnet_id: &str, addresses: u32) {
        let mut state = self.shared.settled();
        state.limits.addresses.insert(subnet_id.into(), addresses);
    }

    /// Replaces the spot prices that are not the usual ones; of several that fit a zone and type the last holds.
    pub fn set_spot_prices(&self, prices: Vec<SpotPrice>) {
        self.shared.settled().limits.spot_prices = prices;
    }

    /// Limits the spot instances that there may be at once; `None` lifts the limit.
    pub fn set_spot_limit(&self, limit: Option<u32>) {
        self.shared.settled().limits.spot_instances = limit;
    }

    /// Gives a spot instance its notice, because EC2 needs the capacity.
    pub async fn interrupt(&self, instance_id: &str) -> Result<(), InterruptError> {
        self.interrupt_because(instance_id, Interruption::NoCapacity)
            .await
    }

    /// Gives a spot instance its notice.
    pub async fn interrupt_because(
        &self,
        instance_id: &str,
        because: Interruption,
    ) -> Result<(), InterruptError> {
        admin::interrupt(&self.shared, instance_id, because).await
    }

    /// Gives out the events due by `now` (simulated time) that were not given out yet, in order; none of the future.
    pub fn events_due(&self, now: Timestamp) -> Vec<Event> {
        let world = &mut self.shared.settled().world;
        events::take_due(world, &self.shared.config.clock, now)
    }

    /// When the next event is due (simulated time), as far as is known now.
    pub fn next_event(&self) -> Option<Timestamp> {
        events::next(&self.shared.settled().world)
    }

    /// Events as they become due, for a clock that runs. Each is given out once, here or by
    /// [`SimHandle::events_due`].
    pub fn events(&self) -> EventStream {
        EventStream::new(&self.shared)
    }

    /// Does at once what the clock's passing asks for (processes and files of machines that ended), and waits for it.
    pub async fn settle(&self) {
        housekeeper::round(&self.shared).await;
    }

    /// Stops it: no process of a machine is left, and the state is kept if it is to be.
    pub async fn shutdown(mut self) {
        self.shared.close();
        for task in std::mem::take(&mut self.tasks) {
            note_panic(task.await);
        }
        // Once these are gone, nothing starts a process any more.
        let mut runners = self.shared.take_runners();
        while let Some(ended) = runners.join_next().await {
            note_panic(ended);
        }
        let ids = self.machines_with_processes();
        if let Err(error) = tokio::task::spawn_blocking(move || kill_machines(&ids)).await {
            tracing::warn!(%error, "processes of simulated machines may be left");
        }
        self.shared.finish().await;
    }

    fn machines_with_processes(&self) -> BTreeSet<String> {
        with_processes(&self.shared.lock().world)
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        self.shared.close();
        for task in &self.tasks {
            task.abort();
        }
        kill_machines(&self.machines_with_processes());
    }
}
