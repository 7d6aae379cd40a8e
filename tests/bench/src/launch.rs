//! What a launch costs beyond what the machine itself takes: a fixed trace is replayed, and everything
//! above it is Haulout's.

use std::{error::Error, sync::Arc, time::Duration};

use haulout_local::{
    sim::Executor,
    stack::{Stack, StackOptions},
};
use haulout_tests::{
    client::Api,
    measure::{self, Trace},
    settings,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How many launches the deployed benchmark makes.
const LAUNCHES: usize = 5;
/// Between their starts: not a whole second, so that they meet the waits at different moments.
const APART: Duration = Duration::from_millis(1_300);
/// Far beyond any launch.
const PATIENCE: Duration = Duration::from_mins(5);

/// In process, on virtual time: exact counts; AWS and the functions themselves take no time.
pub(crate) async fn replay() -> Result<(), Box<dyn Error>> {
    describe(Trace::USUAL);
    let cost = measure::launch(Trace::USUAL)
        .await
        .ok_or("the machine did not get ready")?;
    println!("seconds to ready    {:>6.1}", cost.seconds_to_ready);
    println!("lag beyond trace    {:>6.1}", cost.lag_seconds);
    println!("state transitions   {:>6}", cost.transitions);
    println!("Lambda invocations  {:>6}", cost.invocations);
    println!("AWS calls           {:>6}", cost.call_count());
    for (action, count) in &cost.calls {
        println!("  {action:<34} {count:>3}");
    }
    Ok(())
}

/// On the local stack, in real time: functions are processes, Step Functions is the emulator's.
pub(crate) async fn deployed() -> Result<(), Box<dyn Error>> {
    describe(Trace::USUAL);
    let folder = tempfile::tempdir()?;
    let mut options = StackOptions::new(folder.path().join("state"));
    options.progress = Arc::new(|line| println!("stack: {line}"));
    options.adjust_sim = Some(Box::new(|sim| {
        sim.boot_delay = Trace::USUAL.boot;
        sim.registration_delay = Trace::USUAL.registration;
        sim.executor = Executor::scripted(|_| settings::staged(Trace::USUAL.command));
    }));
    let stack = Stack::start(options).await?;
    let result = launches(&stack).await;
    stack.shutdown().await?;
    let mut lags = result?;
    lags.sort_by(f64::total_cmp);
    println!(
        "lag beyond trace    median {:.1} s, worst {:.1} s",
        lags[lags.len() / 2],
        lags[lags.len() - 1]
    );
    Ok(())
}

async fn launches(stack: &Stack) -> Result<Vec<f64>, Box<dyn Error>> {
    let token = stack.addresses.admin_token.clone();
    let api = &Api::new(stack.addresses.api_url.clone(), Some(token));
    let body = &json!({"blob_id": stack.demo_blobs.model});
    let mut running = Vec::new();
    let mut ticks = tokio::time::interval(APART);
    for _ in 0..LAUNCHES {
        ticks.tick().await;
        let answer = api.post("/instances", body).await;
        running.push(answer.json["id"].as_str().ok_or(answer.text)?.to_owned());
    }
    let mut lags = Vec::new();
    for id in running {
        let over = |machine: &Value| {
            ["ready", "failed"].contains(&machine["status"].as_str().unwrap_or_default())
        };
        let machine = api.until(&id, PATIENCE, over).await;
        let seconds = seconds_to_ready(&machine)?;
        let lag = seconds - Trace::USUAL.total().as_secs_f64();
        println!("{id}: ready after {seconds:.1} s, lag {lag:.1} s");
        lags.push(lag);
    }
    Ok(lags)
}

fn seconds_to_ready(machine: &Value) -> Result<f64, Box<dyn Error>> {
    let created: Timestamp = machine["created_at"].as_str().unwrap_or_default().parse()?;
    let ready = machine["timeline"]
        .as_array()
        .and_then(|timeline| timeline.iter().find(|entry| entry["phase"] == "ready"))
        .and_then(|entry| entry["at"].as_str())
        .ok_or_else(|| format!("not ready: {machine}"))?;
    let ready: Timestamp = ready.parse()?;
    Ok(ready.duration_since(created).as_secs_f64())
}

fn describe(trace: Trace) {
    println!(
        "trace: boot {} s, agent +{} s, command {} s: {} s that no control plane can save",
        trace.boot.as_secs(),
        trace.registration.as_secs(),
        trace.command.as_secs(),
        trace.total().as_secs(),
    );
}
