//! Passes of refresh over pools of different sizes: AWS calls, time and peak memory of those that find all machines for
//! the first time, and of one with nothing to do. They are done by processes of their own, which reach AWS over
//! loopback.
//!
//! A machine that is found has its record written, and written again when it is idle: those calls are as many as the
//! machines. All others are as many as the pages.

use std::{collections::BTreeMap, error::Error, time::Duration};

use axum::{Router, body::Bytes};
use haulout_domain::pool::capacity::Bounds;
use haulout_tests::{dynamo::Dynamo, settings::Settings, world::World};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use tokio::{net::TcpListener, process::Command};

use crate::tables;

const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// Longer than instances take to boot, and their agents to report.
const WARM: Duration = Duration::from_mins(1);
/// A pass leaves the rest to the next one when it gets late.
const MOST_PASSES: u32 = 50;

/// What passes of one process came to, as it prints it.
#[derive(Deserialize)]
struct Cost {
    passes: u32,
    seconds: f64,
    calls: BTreeMap<String, u32>,
    peak_kib: u32,
}

/// Looks after pools of all sizes.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    println!(
        "| machines | what the passes do | passes | seconds | peak MB | AWS calls | of them |"
    );
    println!("|---|---|---|---|---|---|---|");
    for size in SIZES {
        let world = pool_of(size).await;
        tables::create(&world.dynamo)?;
        let dynamo = serve(world.dynamo.clone()).await?;
        for (what, passes) in [("find all", MOST_PASSES), ("nothing", 1)] {
            let cost = passes_of(&world, &dynamo, size, passes).await?;
            world.jump(Duration::from_secs_f64(cost.seconds));
            line(size, what, &cost);
        }
    }
    Ok(())
}

fn line(size: u32, what: &str, cost: &Cost) {
    let calls: Vec<String> = cost
        .calls
        .iter()
        .map(|(action, count)| format!("{count} {action}"))
        .collect();
    println!(
        "| {size} | {what} | {} | {:.1} | {:.1} | {} | {} |",
        cost.passes,
        cost.seconds,
        f64::from(cost.peak_kib) * 1_024.0 / 1_000_000.0,
        cost.calls.values().sum::<u32>(),
        calls.join(", ")
    );
}

async fn pool_of(size: u32) -> World {
    let mut settings = Settings::default().pooled(size);
    settings.sim.auto_scaling_groups[0].max = size;
    (settings.sweeps, settings.events) = (false, false);
    let world = World::start(settings).await;
    world.jump(WARM);
    world
}

/// How many machines there should be, so that there is neither a surplus nor a lack.
pub(crate) fn bounds(size: u32) -> Bounds {
    Bounds {
        buffer: size,
        min: 0,
        max: size,
    }
}

/// The database on loopback; its address.
async fn serve(dynamo: Dynamo) -> Result<String, Box<dyn Error>> {
    let answer = move |headers: HeaderMap, body: Bytes| {
        let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
        let action = target.and_then(|target| target.split('.').nth(1));
        let (status, text) = dynamo.call(action.unwrap_or_default(), &body);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        std::future::ready((status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], text))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

/// Has a process do passes until all machines are idle.
async fn passes_of(
    world: &World,
    dynamo: &str,
    size: u32,
    most: u32,
) -> Result<Cost, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .arg("refresh-process")
        .args(["--now", &world.clock.now().to_string()])
        .args(["--machines", &size.to_string()])
        .args(["--most-passes", &most.to_string()])
        .env_clear()
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .env("AWS_ENDPOINT_URL", world.sim.url())
        .env("AWS_ENDPOINT_URL_DYNAMODB", dynamo)
        .stderr(std::process::Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("the process ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
