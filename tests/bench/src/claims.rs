//! Claims through the function's handler and a DynamoDB engine in this process: how fast, at what cost in AWS calls,
//! and whether a large pool is slower than a small one.

use std::{
    cell::RefCell,
    error::Error,
    time::{Duration, Instant},
};

use haulout_domain::{
    machine::{InstanceFacts, Machine},
    poll::Deadlines,
    pool::{Lifecycle, Member, life::Sight},
    status::InstanceState,
};
use haulout_tests::{
    life::together,
    settings::Settings,
    world::{POOL_GROUP, World},
};
use http::Method;
use jiff::Timestamp;

const POOLS: [usize; 3] = [100, 1_000, 10_000];
const WORKERS: [usize; 3] = [1, 16, 64];
/// Claims of a run, unless the pool is too small for so many: half of its machines.
const CLAIMS: usize = 500;

/// What a run came to.
struct Run {
    took: Duration,
    latencies: Vec<Duration>,
    calls: usize,
}

/// Runs all sizes with all numbers of workers.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    println!("| pool | workers | claims | claims/s | p50 ms | p99 ms | AWS calls a claim |");
    println!("|---|---|---|---|---|---|---|");
    for size in POOLS {
        for workers in WORKERS {
            let claims = CLAIMS.min(size / 2);
            let run = claim(size, workers, claims).await?;
            let milliseconds = |part: usize| {
                let at = (run.latencies.len() * part / 100).min(run.latencies.len() - 1);
                run.latencies[at].as_secs_f64() * 1_000.0
            };
            println!(
                "| {size} | {workers} | {claims} | {:.0} | {:.1} | {:.1} | {:.2} |",
                per_second(claims, run.took),
                milliseconds(50),
                milliseconds(99),
                ratio(run.calls, claims)
            );
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

async fn claim(size: usize, workers: usize, claims: usize) -> Result<Run, Box<dyn Error>> {
    let settings = Settings {
        sweeps: false,
        events: false,
        ..Settings::default()
    };
    let world = World::start(settings).await;
    let now = world.clock.now();
    let machines: Vec<Machine> = (0..size).map(|number| idle(number, now)).collect();
    world.store.discover(&machines).await?;
    let before = world.faults.log().len();
    let queue = RefCell::new((0..claims).collect::<Vec<_>>());
    let latencies = RefCell::new(Vec::new());
    let refused = RefCell::new(0);
    let begun = Instant::now();
    together((0..workers).map(|_| async {
        loop {
            let Some(project) = queue.borrow_mut().pop() else {
                return;
            };
            let path = format!("/projects/p{project}/machine");
            let sent = Instant::now();
            let answer = world.request(Method::PUT, &path, None, None).await;
            latencies.borrow_mut().push(sent.elapsed());
            if answer.is_none_or(|(status, _)| status != 201) {
                *refused.borrow_mut() += 1;
            }
        }
    }))
    .await;
    let took = begun.elapsed();
    if *refused.borrow() > 0 {
        return Err(format!("{} claims were refused", refused.borrow()).into());
    }
    let mut latencies = latencies.into_inner();
    latencies.sort_unstable();
    Ok(Run {
        took,
        latencies,
        calls: world.faults.log().len() - before,
    })
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
