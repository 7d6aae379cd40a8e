//! Claims through the function's handler and a DynamoDB engine in this process: how fast, at what cost in AWS calls,
//! and whether a large pool is slower than a small one.
//!
//! A worker is a warm Lambda sandbox: it remembers candidates of its own. Before each AWS call it stops, and a seed
//! decides who goes on, so that claims meet as they do when many are made at once.

use std::{
    cell::RefCell,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Router, body::Body};
use haulout_api::Caller;
use haulout_aws::{clock::Clock, emf::Metrics, store::Store};
use haulout_domain::{
    machine::{InstanceFacts, Machine},
    poll::Deadlines,
    pool::{Lifecycle, Member, life::Sight},
    status::InstanceState,
};
use haulout_pool::{Candidates, Pool};
use haulout_tests::{
    life::together,
    settings::Settings,
    world::{DEPLOYMENT, POOL_GROUP, World},
};
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use tower::ServiceExt as _;

use crate::{
    meter::{Meter, Metered},
    tables,
};

const POOLS: [usize; 3] = [100, 1_000, 10_000];
const WORKERS: [usize; 3] = [1, 16, 64];
/// Claims of a line; a pool too small for so many is filled anew whenever half of it is taken.
const CLAIMS: usize = 500;
/// How often a project comes back; more than that is not for lost races.
const MOST_TRIES: u32 = 20;

/// What claims came to.
#[derive(Default)]
struct Run {
    took: Duration,
    latencies: Vec<Duration>,
    metered: Metered,
}

/// Runs all sizes with all numbers of workers.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    println!(
        "| pool | workers | claims | claims/s | p50 ms | p99 ms | ms of work a claim | outside the engine | AWS calls a claim |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for size in POOLS {
        for workers in WORKERS {
            line(size, workers).await?;
        }
    }
    Ok(())
}

async fn line(size: usize, workers: usize) -> Result<(), Box<dyn Error>> {
    let mut all = Run::default();
    while all.latencies.len() < CLAIMS {
        let seed = u64::try_from(all.latencies.len())?;
        claim(size, workers, CLAIMS.min(size / 2), seed, &mut all).await?;
    }
    all.latencies.sort_unstable();
    let claims = all.latencies.len();
    let percentile = |part: usize| milliseconds(all.latencies[(claims - 1) * part / 100]);
    let each = |time: Duration| milliseconds(time) / count(claims);
    println!(
        "| {size} | {workers} | {claims} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
        count(claims) / all.took.as_secs_f64(),
        percentile(50),
        percentile(99),
        each(all.took),
        each(all.took.saturating_sub(all.metered.took)),
        f64::from(all.metered.total()) / count(claims),
    );
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of hundreds")]
fn count(count: usize) -> f64 {
    count as f64
}

async fn claim(
    size: usize,
    workers: usize,
    claims: usize,
    seed: u64,
    run: &mut Run,
) -> Result<(), Box<dyn Error>> {
    let settings = Settings {
        sweeps: false,
        events: false,
        shuffle: Some(seed),
        ..Settings::default()
    };
    let world = World::start(settings).await;
    tables::create(&world.dynamo)?;
    let (sdk, meter) = Meter::before(world.sdk_config())?;
    let store = Store::new(&sdk, tables::names());
    let now = world.clock.now();
    let machines: Vec<Machine> = (0..size).map(|number| idle(number, now)).collect();
    store.discover(&machines).await?;
    meter.take();
    let queue = RefCell::new((0..claims).collect::<Vec<_>>());
    let latencies = RefCell::new(Vec::new());
    let begun = Instant::now();
    together((0..workers).map(|_| async {
        let sandbox = sandbox(&store);
        loop {
            let Some(project) = queue.borrow_mut().pop() else {
                return;
            };
            let sent = Instant::now();
            // Who lost all its races comes back at once: that is part of what its claim costs.
            let mut tries = 1;
            while put(&world, &sandbox, project).await != Some(StatusCode::CREATED) {
                tries += 1;
                if tries > MOST_TRIES {
                    return;
                }
            }
            latencies.borrow_mut().push(sent.elapsed());
        }
    }))
    .await;
    run.took += begun.elapsed();
    let latencies = latencies.into_inner();
    if latencies.len() < claims {
        return Err(format!("{} of {claims} claims were answered", latencies.len()).into());
    }
    run.latencies.extend(latencies);
    run.metered.add(meter.take());
    Ok(())
}

/// The function as one sandbox runs it.
fn sandbox(store: &Store) -> Router {
    let pool = Pool {
        store: store.clone(),
        settings: haulout_pool::Settings {
            group: Some(POOL_GROUP.to_owned()),
            ..haulout_pool::Settings::default()
        },
        candidates: Candidates::default(),
        // What is remembered gets older, as it does there.
        clock: Clock::system(),
        metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
    };
    let (routes, _) = haulout_pool::routes(Arc::new(pool)).split_for_parts();
    routes.layer(Extension(Caller::admin()))
}

/// Claims a machine for a project; the answer's status.
async fn put(world: &World, sandbox: &Router, project: usize) -> Option<StatusCode> {
    let work = || async {
        // Whatever begins now has begun before one goes on.
        tokio::task::yield_now().await;
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("/projects/p{project}/machine"))
            .body(Body::empty())
            .ok()?;
        let Ok(answer) = sandbox.clone().oneshot(request).await;
        Some(answer.status())
    };
    world.invoke("pool.put", work).await.ok().flatten()
}

/// A machine that is idle, with an id as scattered as EC2's.
fn idle(number: usize, now: Timestamp) -> Machine {
    let scattered = (number as u128).wrapping_mul(0x9_e377_9b97_f4a7_c15b) & ((1 << 68) - 1);
    let facts = InstanceFacts {
        id: format!("i-{scattered:017x}")
            .parse()
            .unwrap_or_else(|error| unreachable!("{error}")),
        state: InstanceState::Running,
        state_reason: None,
        state_reason_code: None,
        ami_id: None,
        instance_type: None,
        architecture: None,
        availability_zone: None,
        subnet_id: None,
        public_ip: Some("203.0.113.7".to_owned()),
        private_ip: None,
        security_group_id: None,
        spot_request_id: None,
        key_name: None,
        launch_time: Some(now),
    };
    let member = Member {
        instance: facts.id.clone(),
        lifecycle: Lifecycle::InService,
        healthy: true,
        is_protected: true,
    };
    let mut machine =
        Machine::discovered(POOL_GROUP, facts.clone(), None, Deadlines::default(), now);
    machine.observe_in_pool(
        &Sight {
            member: Some(&member),
            facts: Some(&facts),
            agent_online: Some(true),
        },
        now,
    );
    machine
}
