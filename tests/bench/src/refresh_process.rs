//! The function `refresh` as a process of its own, on one thread as it is deployed: it does passes, and says what they
//! came to.

use std::{error::Error, io, time::Instant};

use clap::Args;
use haulout_aws::{
    clock::Clock, compute::Compute, config, emf::Metrics, fleet::Fleet, groups::Groups,
    remote::Remote, store::Store, workflow::Workflow,
};
use haulout_domain::{poll::Deadlines, pool::PoolSettings};
use haulout_refresh::{Pool, Refresh, RefreshEvent};
use haulout_tests::{
    stepfunctions::STATE_MACHINE_ARN,
    world::{DEPLOYMENT, POOL_GROUP},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{cold::peak_memory, meter::Meter, refresh::bounds, tables};

/// What the process is to do.
#[derive(Args)]
pub(crate) struct Task {
    /// What time it is where the machines are.
    #[arg(long)]
    now: Timestamp,
    /// When so many are idle, it is done.
    #[arg(long)]
    machines: u32,
    /// The most passes.
    #[arg(long)]
    most_passes: u32,
}

/// Does passes as the schedule asks for them.
pub(crate) async fn run(task: Task) -> Result<(), Box<dyn Error>> {
    let (sdk, meter) = Meter::before(&config::sdk_config())?;
    let begun = Instant::now();
    let now = move || {
        let passed = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        task.now.saturating_add(passed).unwrap_or(task.now)
    };
    let refresh = Refresh {
        store: Store::new(&sdk, tables::names()),
        compute: Compute::new(&sdk, DEPLOYMENT),
        groups: Groups::new(&sdk, DEPLOYMENT),
        workflow: Workflow::new(&sdk, STATE_MACHINE_ARN),
        quota: None,
        pool: Some(Pool {
            fleet: Fleet::new(&sdk),
            remote: Remote::new(&sdk),
            group: POOL_GROUP.to_owned(),
            settings: PoolSettings {
                bounds: bounds(task.machines),
                staging: None,
            },
            repairs: false,
            deadlines: Deadlines::default(),
        }),
        clock: Clock::from_fn(now),
        metrics: Metrics::to(DEPLOYMENT, io::sink()),
    };
    let (mut passes, mut idle) = (0, 0);
    while idle < task.machines && passes < task.most_passes {
        let report = Box::pin(refresh.run(&RefreshEvent::Schedule)).await?;
        idle = report.pool.map_or(0, |pool| pool.counts.idle);
        passes += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    if idle < task.machines {
        return Err(format!("{idle} machines are idle after {passes} passes").into());
    }
    let cost = json!({
        "passes": passes,
        "seconds": seconds,
        "calls": meter.take().calls,
        "peak_kib": peak_memory(std::process::id())?,
    });
    println!("{cost}");
    Ok(())
}
